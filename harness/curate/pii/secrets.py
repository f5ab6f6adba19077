"""Keys, tokens and passwords: by the marks that providers put on theirs, and by the names they are assigned to.

Shapes are the providers' own documentation of their prefixes. A value that is only named (`token=…`) must look drawn
at random, or stand where a password stands; placeholders (`your-key`, `xxxx`, `${KEY}`) are none.
"""

import base64
import binascii
import json
import re

from harness.curate.pii.checks import entropy_bits, looks_random
from harness.curate.pii.recognizer import Recognizer

__all__ = ["SECRETS", "is_placeholder"]

_END = r"(?![A-Za-z0-9_\-])"

_PLACEHOLDER = re.compile(
    r"x{4,}|\*{3,}|\.{3,}|…|^(?!.*[0-9])(?:your|my|the|some|test|dummy|"
    r"fake|example|sample|insert|enter|placeholder|changeme|"
    r"change_me|"
    r"none|null|true|false|undefined|redacted|removed|hidden|"
    r"secret|password|passwd|token|string|str|int|bool|bytes)\b|^(?:"
    r"self|"
    r"os\.|env|process\.|config|settings|request|get|input|value)\b|^[<{\[(%$]|[(\[{]|^\d{1,5}$",
    re.IGNORECASE,
)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret that is not there: `your_key`, `xxxx`, `<token>`, `${KEY}`, `os.environ[…]`.

    >>> is_placeholder("<your key>"), is_placeholder("hunter2!")
    (True, False)
    """
    return _PLACEHOLDER.search(value) is not None or len(set(value)) < 4


def _drawn(value: str) -> bool:
    return not is_placeholder(value) and entropy_bits(value) >= 2.5


def _assigned(value: str) -> bool:
    """Of a value named token, key or secret: long enough and random enough to be one."""
    return len(value) >= 12 and not is_placeholder(value) and looks_random(value, bits=2.8)


def _password(value: str) -> bool:
    return not is_placeholder(value) and not value.isalpha() and "/" not in value[:1] and not value.endswith("()")


def _jwt(value: str) -> bool:
    """Whether the first part is a JSON object with an algorithm in it (RFC 7515, section 4.1)."""
    head = value.split(".", 1)[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(decoded, dict) and ("alg" in decoded or "enc" in decoded)


def _aws_secret(value: str) -> bool:
    return looks_random(value, bits=3.8) and any(char.isupper() for char in value)


def _key(name: str, shape: str, *anchors: str) -> Recognizer:
    """A key with its provider's own mark in front: the mark and randomness are enough."""
    return Recognizer(
        "API_KEY", name, re.compile(shape + _END), anchors, score=1.0, check=_drawn, edge="_-", dense=True
    )


_KEYS = (
    _key("openai", r"sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,200}|[A-Za-z0-9]{20,64})", "sk-"),
    _key("anthropic", r"sk-ant-[A-Za-z0-9_\-]{20,200}", "sk-ant-"),
    _key("openrouter", r"sk-or-(?:v\d-)?[A-Za-z0-9]{24,128}", "sk-or-"),
    _key("langfuse", r"[sp]k-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "k-lf-"),
    _key("langsmith", r"lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,120}", "lsv2_"),
    _key("google", r"AIza[A-Za-z0-9_\-]{35}", "aiza"),
    _key("google_oauth", r"(?:ya29\.[A-Za-z0-9_\-]{20,400}|GOCSPX-[A-Za-z0-9_\-]{20,60})", "ya29.", "gocspx-"),
    _key("aws", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}", "akia", "asia", "abia", "acca", "aroa", "aida"),
    _key(
        "github",
        r"(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{40,255})",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
    ),
    _key(
        "gitlab",
        r"gl(?:pat|dt|rt|cbt|ptt|oas|soat|ft|imt|agent)-[A-Za-z0-9_\-.]{20,120}",
        "glpat-",
        "gldt-",
        "glrt-",
        "glcbt-",
        "glptt-",
        "gloas-",
        "glsoat-",
        "glft-",
        "glimt-",
        "glagent-",
    ),
    _key("slack", r"xox[abeoprs]-[A-Za-z0-9\-]{10,250}", "xox"),
    _key("slack_app", r"xapp-\d-[A-Za-z0-9\-]{10,250}", "xapp-"),
    _key(
        "stripe",
        r"(?:[srp]k_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/=]{24,120})",
        "k_live_",
        "k_test_",
        "whsec_",
    ),
    _key("twilio_account", r"AC[0-9a-f]{32}", "ac"),
    _key("twilio", r"SK[0-9a-f]{32}", "sk"),
    _key("sendgrid", r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}", "sg."),
    _key("mailgun", r"key-[0-9a-f]{32}", "key-"),
    _key("huggingface", r"(?:hf|api_org)_[A-Za-z0-9]{30,64}", "hf_", "api_org_"),
    _key("npm", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _key("python_index", r"pypi-[A-Za-z0-9_\-]{50,400}", "pypi-"),
    _key("databricks", r"dapi[0-9a-f]{32}(?:-\d)?", "dapi"),
    _key("groq", r"gsk_[A-Za-z0-9]{40,64}", "gsk_"),
    _key("xai", r"xai-[A-Za-z0-9]{60,120}", "xai-"),
    _key("perplexity", r"pplx-[A-Za-z0-9]{32,64}", "pplx-"),
    _key("replicate", r"r8_[A-Za-z0-9]{30,48}", "r8_"),
    _key("fireworks", r"fw_[A-Za-z0-9]{20,48}", "fw_"),
    _key("nvidia", r"nvapi-[A-Za-z0-9_\-]{40,100}", "nvapi-"),
    _key("tavily", r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{20,48}", "tvly-"),
    _key("linear", r"lin_(?:api|oauth)_[A-Za-z0-9]{30,64}", "lin_"),
    _key("notion", r"(?:ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43})", "ntn_", "secret_"),
    _key("digitalocean", r"do[opr]_v1_[0-9a-f]{64}", "_v1_"),
    _key("shopify", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "shpat_", "shpca_", "shppa_", "shpss_"),
    _key("postman", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", "pmak-"),
    _key("doppler", r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9.\-_]{20,100}", "dp."),
    _key("vault", r"hv[sb]\.[A-Za-z0-9_\-]{24,200}", "hvs.", "hvb."),
    _key("telegram", r"\d{8,10}:AA[A-Za-z0-9_\-]{32,34}", ":aa"),
    _key("atlassian", r"ATATT3[A-Za-z0-9_\-=]{50,250}", "atatt3"),
    _key(
        "azure_account",
        r"(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[A-Za-z0-9+/]{40,90}={0,2}",
        "accesskey=",
        "accountkey=",
    ),
    _key("square", r"(?:EAAA|sq0[a-z]{3}-)[A-Za-z0-9_\-]{22,64}", "eaaa", "sq0"),
)

_NAME = (
    r"(?:api[_\- ]?key|apikey|access[_\-]?key|secret[_\-]?key|auth[_\-]?key|account[_\-]?key|subscription[_\-]?key|"
    r"encryption[_\-]?key|signing[_\-]?key|[_\-]key|token|secret|credential|sessionid|session[_\-]id|set-cookie|cookie|"
    r"x-api-key|ocp-apim-subscription-key|sig)"
)
_JOIN = r"""\\{0,3}["'\]]{0,2}\s{0,3}(?:[:=]|=>|:=)\s{0,3}\\{0,3}["']?(?:bearer |basic |token )?"""

_NAMED = (
    Recognizer(
        "API_KEY",
        "assigned_key",
        re.compile(_NAME + r"[a-z_]{0,12}" + _JOIN + r"(?P<value>[a-z0-9_\-+/.~=]{12,512})"),
        ("key", "token", "secret", "credential", "session", "cookie", "sig"),
        score=0.75,
        check=_assigned,
        small=True,
    ),
    Recognizer(
        "API_KEY",
        "authorization",
        re.compile(r"(?:bearer|basic|apikey|token)\s{1,2}(?P<value>[a-z0-9_\-+/.~]{12,2048}={0,2})"),
        ("bearer", "basic", "apikey", "token"),
        score=0.7,
        check=_assigned,
        small=True,
    ),
    Recognizer(
        "PASSWORD",
        "assigned_password",
        re.compile(
            r"""(?:passw(?:or)?d|passwd|pwd|passphrase)\\{0,3}["'\]]{0,2}\s{0,3}(?:[:=]|=>)\s{0,3}\\{0,3}["']?(?P<value>[^\s"'\\,;<>&|`]{6,128})"""
        ),
        ("passw", "pwd", "passphrase"),
        score=0.7,
        check=_password,
        small=True,
    ),
    Recognizer(
        "PASSWORD",
        "told_password",
        re.compile(
            r"pass(?:word|code|phrase)(?: is| was|:) {1,2}[\"'`]?"
            r"(?P<value>[^\s\"'`,;<>]{6,64}?)(?=[\"'`.,;!?]?(?"
            r":\s|$))"
        ),
        ("password", "passcode", "passphrase"),
        score=0.6,
        check=_password,
        small=True,
    ),
    Recognizer(
        "AWS_SECRET_KEY",
        "aws_secret",
        re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"),
        ("aws", "akia", "asia", "secret_access", "secretaccess"),
        score=0.95,
        check=_aws_secret,
        context=re.compile(r"secret|aws|akia|asia"),
        context_chars=80,
    ),
)

_FRAMED = (
    Recognizer(
        "PRIVATE_KEY",
        "pem",
        re.compile(
            r"-----BEGIN (?P<what>[A-Z0-9 ]{0,40}PRIVATE KEY(?"
            r": BLOCK)?)-----(?:[^-]|-(?!----)){0,20000}(?:-----END "
            r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        ("private key",),
        score=1.0,
    ),
    Recognizer(
        "JWT",
        "jwt",
        re.compile(r"eyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-]{4,8000}\.[A-Za-z0-9_\-]{0,2000}"),
        ("eyj",),
        score=1.0,
        check=_jwt,
        edge="_-",
    ),
    Recognizer(
        "URL_CREDENTIALS",
        "url_credentials",
        re.compile(r"://(?P<value>[^\s/:@\"'<>{}$]{0,100}:[^\s/@\"'<>]{1,200}(?:@[^\s/@\"'<>]{1,200})?)@(?=[\w\[])"),
        ("://",),
        score=1.0,
        check=lambda value: not is_placeholder(value.partition(":")[2]),
    ),
    Recognizer(
        "URL_CREDENTIALS",
        "curl_user",
        re.compile(r"(?:(?<=\s)-u|--user)[ =][\"']?(?P<value>[^\s/:@\"'<>{}$]{1,100}:[^\s\"'<>]{3,200})"),
        ("-u ", "--user"),
        score=0.9,
        check=lambda value: not is_placeholder(value.partition(":")[2]) and not value.partition(":")[2].isdigit(),
    ),
    Recognizer(
        "API_KEY",
        "webhook",
        re.compile(
            r"https://(?:hooks\.slack\.com/services|discord(?:app)"
            r"?\.com/api/webhooks)/(?P<value>[A-Za-z0-9/_\-]{20,160})"
        ),
        ("hooks.slack", "/api/webhooks"),
        score=1.0,
    ),
    Recognizer(
        "API_KEY",
        "signed_url",
        re.compile(
            r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|"
            r"token|access_token|api_key|key)=(?P<value>[a-z0-9%+/_\-.]{16,1000})"
        ),
        ("sig", "token=", "key="),
        score=0.8,
        check=_assigned,
        small=True,
    ),
)

SECRETS: tuple[Recognizer, ...] = (*_KEYS, *_NAMED, *_FRAMED)
"""Every recognizer of secrets."""
