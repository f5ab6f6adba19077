#!/bin/sh
# From a made-up log to a model that answers it, in the folder that is named: rows, LoRA, GGUF, the same gate before and
# after, and the ledger held against the files. Further words go to do=convert.
#   PYTHON=.venv/bin/python sh examples/convert/demo.sh demo-convert
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
folder=${1:-demo-convert}
[ $# -eq 0 ] || shift
mkdir -p "$folder"
cd "$folder"

"$python" "$here/make_log.py" shop.jsonl --train 480 --validation 40 --test 80
if [ ! -f store.key ]; then
  (umask 077 && "$python" -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())' > store.key)
fi
if [ ! -f suites/shop/suite.yaml ]; then
  "$python" -m harness do=collect logs.path=shop.jsonl store.key_file=store.key
  "$python" -m harness do=curate curate.name=shop store.key_file=store.key 'pii.without=[LOCATION,PERSON,ZIP_CODE]' \
    curate.split_by=time curate.split.train=0.8 curate.split.calibration=0.0667 curate.split.test=0.1333
  "$python" -m harness do=build build.calls=curated/shop build.name=shop 'build.splits=[test,train,calibration]' \
    build.per_cluster=5000 build.free_text=null
fi
"$python" -m harness do=convert convert=lora suite=shop model=smollm2 model.protocol=prompted convert.name=shop_small \
  convert.data.validation=20 convert.training.rank=32 convert.training.alpha=64 convert.training.learning_rate=1e-3 \
  convert.training.epochs=2 convert.training.max_minutes=8 convert.training.eval_steps=40 \
  convert.training.patience=null convert.gate.limit=40 convert.gate.general=10 'convert.gate.general_suites=[toolcall]' \
  "$@" || [ $? -eq 1 ]  # 1 is the gate's word on so small a training, and no fault
"$python" -m harness do=convert convert.verify=results/convert/shop_small
