"""Keys, tokens and passwords. Every secret is put together here from parts: none stands in this file."""

import base64
import json
import random
import string

import pytest

from harness.config.pii import SECRET_KINDS, PiiConfig
from harness.curate.pii.rules import rules_detector

DETECTOR = rules_detector(PiiConfig(kinds=SECRET_KINDS))
_RANDOM = random.Random(5)
_WIDE = string.ascii_letters + string.digits


def drawn(length: int, alphabet: str = _WIDE) -> str:
    """Random characters with a digit and a letter among them."""
    return "".join(_RANDOM.choice(alphabet) for _ in range(length - 2)) + "7b"


def hexadecimal(length: int) -> str:
    return drawn(length, "0123456789abcdef")


KEYS = {
    "openai": "sk-" + drawn(48),
    "openai project": "sk-" + "proj-" + drawn(60),
    "anthropic": "sk-" + "ant-api03-" + drawn(80),
    "openrouter": "sk-" + "or-v1-" + hexadecimal(64),
    "google": "AI" + "za" + drawn(35),
    "google oauth": "ya" + "29." + drawn(60),
    "aws": "AK" + "IA" + drawn(14, string.ascii_uppercase + "234567") .upper()[:14] + "Q7",
    "github classic": "gh" + "p_" + drawn(36),
    "github fine-grained": "github" + "_pat_" + drawn(22) + "_" + drawn(59),
    "gitlab": "gl" + "pat-" + drawn(20),
    "slack": "xo" + "xb-" + drawn(12, string.digits)[:10] + "12-" + drawn(24),
    "stripe": "sk" + "_live_" + drawn(24),
    "stripe webhook": "wh" + "sec_" + drawn(32),
    "twilio": "AC" + hexadecimal(32),
    "sendgrid": "SG" + "." + drawn(22) + "." + drawn(43),
    "huggingface": "h" + "f_" + drawn(34),
    "npm": "np" + "m_" + drawn(36),
    "package index": "py" + "pi-" + drawn(80),
    "databricks": "da" + "pi" + hexadecimal(32),
    "groq": "gs" + "k_" + drawn(52),
    "xai": "xa" + "i-" + drawn(80),
    "perplexity": "pp" + "lx-" + drawn(48),
    "replicate": "r" + "8_" + drawn(37),
    "nvidia": "nv" + "api-" + drawn(64),
    "telegram": drawn(11, string.digits)[:9] + ":AA" + drawn(33),
}  # fmt: skip


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("frame", ["{}", "use {} please", '{{"k": "{}"}}', "line\n{}\nline", "x={};", r"one\n{}\ntwo"])
def test_key_of_a_provider_is_found_whole_wherever_it_stands(provider: str, frame: str) -> None:
    key = KEYS[provider]
    text = frame.format(key)

    found = DETECTOR.find(text)

    assert [text[span.start : span.end] for span in found if span.kind == "API_KEY"] == [key]


@pytest.mark.parametrize("provider", KEYS)
def test_tail_of_a_longer_word_is_no_key(provider: str) -> None:
    text = "x_" + KEYS[provider]

    found = [span for span in DETECTOR.find(text) if span.start == 2]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "commit " + hexadecimal(40),
        "sha256:" + hexadecimal(64),
        "id 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "api_key=" + "your_api_key_here",
        "api_key = os.environ['OPENAI_API_KEY']",
        "Authorization: Bearer <token>",
        "Authorization: Bearer ${TOKEN}",
        "max_tokens=4096, token_count: 123456789012",
        "tokenizer = AutoTokenizer.from_pretrained(name)",
        "sk-" + "learn is a library and sk-" + "x" * 40,
        "password=****** or password: <your password>",
        "password = get_password()",
        "secret: str = Field(default=None)",
        "primary_key=True, foreign_key=customers_id",
        "the cache_key=user_profile_by_name_and_page is stable",
    ],
)
def test_hashes_names_and_placeholders_are_no_secrets(text: str) -> None:
    assert DETECTOR.find(text) == []


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ("api_key={}", "API_KEY"),
        ('"client_secret": "{}"', "API_KEY"),
        ("OPENAI_API_KEY={}", "API_KEY"),
        ("Authorization: Bearer {}", "API_KEY"),
        ('{{"Authorization": "Bearer {}"}}', "API_KEY"),
        ("curl -H 'X-Api-Key: {}'", "API_KEY"),
        ("https://h.example/f?sig={}&v=1", "API_KEY"),
        ("DB_PASSWORD={}", "PASSWORD"),
        ("my password is {}", "PASSWORD"),
        ('{{\\"password\\": \\"{}\\"}}', "PASSWORD"),
    ],
)
def test_value_assigned_to_a_telling_name_is_found(frame: str, kind: str) -> None:
    value = drawn(32)
    text = frame.format(value)

    found = DETECTOR.find(text)

    assert [(text[span.start : span.end], span.kind) for span in found] == [(value, kind)]


def test_aws_secret_is_found_beside_its_context_and_a_git_hash_is_not() -> None:
    secret = drawn(30, _WIDE) + "/A+" + drawn(7)

    found = DETECTOR.find(f"aws_secret_access_key = {secret}")
    other = DETECTOR.find(f"aws commit {hexadecimal(40)}")

    assert [span.kind for span in found] == ["AWS_SECRET_KEY"]
    assert other == []


def test_token_with_a_header_that_is_json_is_a_jwt_and_one_without_is_not() -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    token = ".".join((part({"alg": "HS256", "typ": "JWT"}), part({"sub": "17"}), drawn(43)))
    fake = "ey" + "J" + drawn(20) + "." + drawn(20) + "." + drawn(20)

    found = DETECTOR.find(f"t: {token}!")

    assert [(span.start, span.end, span.kind) for span in found] == [(3, 3 + len(token), "JWT")]
    assert [span.kind for span in DETECTOR.find(fake)] == []


def test_private_key_is_found_with_its_body_and_a_public_one_is_left() -> None:
    def frame(what: str) -> str:
        edge = "-" * 5
        return f"{edge}BEGIN {what}{edge}\n" + "\n".join(drawn(64) for _ in range(12)) + f"\n{edge}END {what}{edge}"

    private, public = frame("RSA " + "PRIVATE KEY"), frame("PUBLIC KEY")

    found = DETECTOR.find(f"{public}\n{private}\nend")

    assert [(span.start, span.end, span.kind) for span in found] == [
        (len(public) + 1, len(public) + 1 + len(private), "PRIVATE_KEY")
    ]


def test_name_and_password_within_a_url_are_found_without_the_host() -> None:
    text = "postgres://" + "ann:" + "s3cretPw" + "@db.example.com:5432/x"

    found = DETECTOR.find(text)

    assert [text[span.start : span.end] for span in found] == ["ann:" + "s3cretPw"]
    assert DETECTOR.find("see https://example.com:8080/a@b") == []
