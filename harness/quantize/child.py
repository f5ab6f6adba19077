"""Quantizes one GGUF file with llama-cpp-python: started by path, by a Python that has it, with nothing of the harness.

Arguments: source, target, number of the type, threads, process id of the starter. llama.cpp's own words go to standard
error. Exit 0 where the target is written.
"""

import ctypes
import os
import sys


def main() -> int:
    """llama.cpp's own return code."""
    import llama_cpp

    source, target, kind, threads, parent = sys.argv[1:6]

    def heard(_level: int, text: bytes, _data: object) -> None:
        sys.stderr.buffer.write(text)
        sys.stderr.buffer.flush()
        if os.getppid() != int(parent):  # who asked for it is gone
            os._exit(1)

    keep = llama_cpp.llama_log_callback(heard)
    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = int(kind), int(threads), True
    return int(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)))


if __name__ == "__main__":
    sys.exit(main())
