"""Words of German, French, Spanish, Italian, Portuguese and Dutch that tell: field names, and words before a value."""

import re
from dataclasses import replace
from typing import Final

from harness.curate.pii.numbers import NUMBERS
from harness.curate.pii.places import words
from harness.curate.pii.recognizer import Recognizer
from harness.curate.pii.secrets import is_placeholder

__all__ = ["ABROAD", "FIELDS_ABROAD"]

FIELDS_ABROAD: Final[dict[str, tuple[str, ...]]] = {
    "PERSON": words(
        "vorname nachname familienname rufname geburtsname kundenname ansprechpartner empfaenger empfanger "
        "kontoinhaber "
        "prenom nom_de_famille nom_complet nom_client nombre_completo apellido apellidos primer_apellido "
        "segundo_apellido cognome nome_completo nome_cliente sobrenome apelido primeiro_nome voornaam achternaam "
        "familienaam tussenvoegsel klantnaam"
    ),
    "ZIP_CODE": words("postleitzahl code_postal codigo_postal codice_postale cep cap_residenza"),
    "STREET_ADDRESS": words(
        "strasse hausnummer anschrift adresse wohnadresse lieferadresse rechnungsadresse rue voie adresse_postale "
        "direccion domicilio calle indirizzo endereco rua logradouro morada adres straat straatnaam huisnummer"
    ),
    "LOCATION": words(
        "ort wohnort stadt geburtsort ville commune lieu_de_naissance ciudad localidad lugar_de_nacimiento citta "
        "comune luogo_di_nascita cidade localidade naturalidade woonplaats plaats geboorteplaats stad"
    ),
    "DATE_OF_BIRTH": words(
        "geburtsdatum geburtstag geboren geb_datum date_de_naissance naissance fecha_de_nacimiento fecha_nacimiento "
        "nacimiento data_di_nascita data_nascita data_de_nascimento data_nascimento nascimento geboortedatum"
    ),
    "EMAIL_ADDRESS": words(
        "e_mail_adresse mailadresse email_adresse courriel adresse_mail adresse_email adresse_e_mail correo "
        "correo_electronico posta_elettronica indirizzo_email endereco_email e_mailadres emailadres mailadres"
    ),
    "PHONE_NUMBER": words(
        "telefon telefonnummer telefonnr handy handynummer mobilnummer mobiltelefon rufnummer festnetz telephone "
        "numero_de_telephone numero_telephone portable tel_portable telefono numero_de_telefono movil celular "
        "numero_di_telefono cellulare telefono_cellulare telefone telemovel numero_de_telefone telefoon "
        "telefoonnummer mobiele_nummer gsm_nummer"
    ),
    "PASSPORT": words(
        "reisepass reisepassnummer passnummer passeport numero_passeport numero_de_passeport pasaporte "
        "numero_de_pasaporte passaporto numero_passaporto passaporte numero_do_passaporte paspoort paspoortnummer"
    ),
    "US_DRIVER_LICENSE": words(
        "fuehrerschein fuhrerschein fuhrerscheinnummer permis_de_conduire numero_permis permiso_de_conducir "
        "carnet_de_conducir patente patente_di_guida carta_de_conducao cnh rijbewijs rijbewijsnummer"
    ),
    "NATIONAL_ID": words(
        "steuer_id steueridentifikationsnummer steuernummer personalausweis ausweisnummer sozialversicherungsnummer "
        "svnr numero_de_securite_sociale numero_securite_sociale nir numero_fiscal dni nif nie curp "
        "codice_fiscale partita_iva carta_d_identita numero_de_contribuinte niss bsn burgerservicenummer "
        "rijksregisternummer"
    ),
    "USER_ID": words(
        "benutzer benutzername benutzerkennung kundennummer kunden_id personalnummer nutzername identifiant "
        "utilisateur "
        "nom_utilisateur nom_d_utilisateur numero_client usuario nombre_de_usuario nombre_usuario numero_de_cliente "
        "utente nome_utente codice_cliente utilizador nome_de_usuario gebruiker gebruikersnaam klantnummer"
    ),
    "CREDIT_CARD": words(
        "kreditkarte kreditkartennummer kartennummer carte_bancaire numero_de_carte numero_carte tarjeta "
        "numero_de_tarjeta carta_di_credito numero_carta cartao numero_do_cartao creditcard creditcardnummer "
        "kaartnummer"
    ),
    "BANK_ACCOUNT": words(
        "konto kontonummer bankleitzahl blz numero_de_compte numero_compte cuenta numero_de_cuenta conto "
        "numero_di_conto conto_corrente conta numero_da_conta rekening rekeningnummer bankrekening"
    ),
    "AGE": words("alter edad idade leeftijd"),
    "ORGANIZATION": words(
        "firma unternehmen arbeitgeber entreprise societe employeur empresa azienda datore bedrijf werkgever"
    ),
    "NRP": words(
        "staatsangehorigkeit nationalitaet nationalitat nationalite nacionalidad nazionalita "
        "nacionalidade nationaliteit"
    ),
    "PASSWORD": words(
        "passwort kennwort losungswort zugangscode geheimzahl mot_de_passe motdepasse mdp code_secret contrasena "
        "contrasenya clave_de_acceso parola_d_ordine parola_chiave palavra_passe senha wachtwoord toegangscode"
    ),
}
"""Field names without accents, as `field_kind` compares them."""


def _told(value: str) -> bool:
    return not is_placeholder(value) and not value.isalpha() and not value.endswith("()")


_PASSWORDS: Final = (
    "kennwort", "passwort", "losungswort", "zugangscode", "mot de passe", "code secret", "contraseña", "contrasena",
    "parola d'ordine", "palavra-passe", "palavra passe", "senha", "wachtwoord", "toegangscode",
)  # fmt: skip
_BIRTHS: Final = (
    "geboren", "geburt", "geb.", "né le", "née le", "naissance", "nacimiento", "nacido", "nacida", "nascita",
    "nato il", "nata il", "nascimento", "nascido", "nascida", "geboorte",
)  # fmt: skip
_PASSPORTS: Final = ("reisepass", "passeport", "pasaporte", "passaport", "paspoort")
_LICENCES: Final = (
    "führerschein", "fuehrerschein", "permis de conduire", "permiso de conducir", "carnet de conducir",
    "patente di guida", "carta de condução", "rijbewijs",
)  # fmt: skip
_ACCOUNTS: Final = (
    "kontonummer", "konto-nr", "bankleitzahl", "numéro de compte", "numero de compte", "número de cuenta",
    "numero de cuenta", "numero di conto", "conto corrente", "número da conta", "numero da conta", "rekeningnummer",
)  # fmt: skip
_IDS: Final = (
    "steuer-id", "steuernummer", "steueridentifikationsnummer", "sozialversicherungsnummer", "personalausweis",
    "sécurité sociale", "securite sociale", "codice fiscale", "partita iva", "burgerservicenummer",
    "número de identificación", "número fiscal", "número de contribuinte", "rijksregisternummer",
)  # fmt: skip
_ZIPS: Final = ("postleitzahl", "codice postale")
_LAST: Final = (
    "endet auf", "endend auf", "se terminant par", "finissant par", "terminada en", "termina in", "terminado em",
    "eindigend op", "eindigt op",
)  # fmt: skip
_AGES: Final = ("jahre alt", " ans", " años", " anni", " anos", " jaar oud")
_IS: Final = r"(?:[ -]?(?:nr\.?|nummer|n[°º]\.?|no\.?))?(?: ?:| ist| lautet| est| es| è| é| is)?[ \"'#]{1,3}"


def _any(words: tuple[str, ...]) -> str:
    return "(?:" + "|".join(map(re.escape, words)) + ")"


def _like(name: str, anchors: tuple[str, ...]) -> Recognizer:
    """A recognizer of numbers whose context is told in other words."""
    one = next(one for one in NUMBERS if one.name == name)
    return replace(one, name=f"{name}_abroad", anchors=anchors, context=re.compile(_any(anchors)))


ABROAD: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        "PASSWORD",
        "assigned_password_abroad",
        re.compile(
            _any(_PASSWORDS)
            + r"""\\{0,3}["'\]]{0,2}\s{0,3}(?:[:=]|=>|(?:ist|lautet|war|est|es|è|é|is) )\s{0,3}\\{0,3}["'«„“]?"""
            r"""(?P<value>[^\s"'\\,;<>&|`»“”]{6,128}?)(?=\.?(?:[\s"'\\,;<>&|`»“”]|$))"""
        ),
        _PASSWORDS,
        score=0.7,
        check=_told,
        small=True,
    ),
    _like("birthday", _BIRTHS),
    _like("passport", _PASSPORTS),
    _like("driver_licence", _LICENCES),
    Recognizer(
        "BANK_ACCOUNT",
        "bank_account_abroad",
        re.compile(_any(_ACCOUNTS) + _IS + r"(?P<value>[0-9][0-9\- ]{5,18}[0-9])(?![\w\-])"),
        _ACCOUNTS,
        score=0.6,
        small=True,
    ),
    Recognizer(
        "NATIONAL_ID",
        "national_id_abroad",
        re.compile(
            _any(_IDS)
            + _IS
            + r"(?P<value>(?=(?:[a-z./\-]{0,6}[0-9]){5})[a-z0-9](?:[a-z0-9./\-]| (?=[0-9])){6,20}[a-z0-9])(?!\w)"
        ),
        _IDS,
        score=0.65,
        small=True,
    ),
    Recognizer(
        "ZIP_CODE",
        "zip_abroad",
        re.compile(_any(_ZIPS) + _IS + r"(?P<value>[0-9]{4,5}(?: [a-z]{2}(?![a-z]))?)(?!\w)"),
        _ZIPS,
        score=0.8,
        small=True,
    ),
    Recognizer(
        "CARD_LAST4",
        "card_ending_abroad",
        re.compile(_any(_LAST) + r"[\"'*`: (]{1,5}(?P<value>[0-9]{4})(?![\w\-]|\.\d)"),
        _LAST,
        score=0.85,
        small=True,
    ),
    Recognizer(
        "AGE",
        "age_abroad",
        re.compile(
            r"[0-9][0-9]?[0-9]?(?=(?: jahre alt| jaar oud)\b)|(?<=j'ai )[0-9]{1,3}(?= ans\b)"
            r"|(?<=tengo )[0-9]{1,3}(?= años\b)|(?<=tenho )[0-9]{1,3}(?= anos\b)|(?<=ho )[0-9]{1,3}(?= anni\b)"
        ),
        _AGES,
        score=0.7,
        small=True,
        edge="_.-",
    ),
)
"""Recognizers whose words are not English."""
