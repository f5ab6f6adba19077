"""For each of IFBench's kinds of instruction: arguments, an answer that follows it, and one that does not."""

from typing import NamedTuple

from pydantic import JsonValue

__all__ = ["ANSWERS", "Answers"]


class Answers(NamedTuple):
    """One kind of instruction."""

    arguments: dict[str, JsonValue]
    follows: str
    breaks: str


COUNTRIES = (
    "Zimbabwe Zambia Uganda Tunisia Togo Tanzania Sudan Somalia Sierra_Leone Seychelles Senegal Rwanda Nigeria Niger "
    "Namibia Mozambique Morocco Mauritius Mauritania Mali Malawi Madagascar Libya Liberia Lesotho Kenya Ivory_Coast "
    "Guinea-Bissau Guinea Ghana Gambia Gabon Ethiopia Eswatini Eritrea Equatorial_Guinea Egypt Djibouti Congo Comoros "
    "Chad Cape_Verde Cameroon Burundi Burkina_Faso Botswana Benin Angola Algeria"
)
AFRICA = sorted(
    {*COUNTRIES.split(), "Central African Republic", "Sao Tome and Principe", "South Africa", "South Sudan"},
    reverse=True,
)
CAPITALS = (
    "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, Berlin, "
    "Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, Budapest, Vaduz, "
    "Chisinau, Bern, Ljubljana, Zagreb"
)
PALINDROMES = "level radar civic madam refer rotor kayak tenet stats solos"
QUIZ = "\n".join(
    f"Question {n + 1}. Which one of these is it{' really' * n}?\n" + "\n".join(f"{letter}. some" for letter in "ABCDE")
    for n in range(4)
)
ALPHABET = " ".join(f"{chr(65 + n)}x goes on." for n in range(26))
KEYWORDS: dict[str, JsonValue] = {f"keyword{n + 1}": word for n, word in enumerate(("ape", "bee", "cow", "dog", "elk"))}

ANSWERS: dict[str, Answers] = {
    "count:word_count_range": Answers({"min_words": 3.0, "max_words": 4.0}, "one two three", "one two"),
    "count:unique_word_count": Answers({"N": 3.0}, "one two three two", "one two one"),
    "count:conjunctions": Answers({"small_n": 2.0}, "this and that but no", "this and that and more"),
    "count:person_names": Answers({"N": 2.0}, "Emma met Liam.", "Emma met Emma."),
    "count:numbers": Answers({"N": 2.0}, "1 and 2,000", "1 and 2 and 3"),
    "count:punctuation": Answers({}, "A. B, C! D? E; F: G?!", "A. B, C! D? E; F:"),
    "count:words_japanese": Answers({"N": 2.0}, "one 犬 three 猫", "one dog three cat"),
    "count:pronouns": Answers({"N": 2.0}, "I saw him.", "Emma saw him."),
    "count:keywords_multiple": Answers(
        KEYWORDS, "ape " + "bee " * 2 + "cow " * 3 + "dog " * 5 + "elk " * 7, "ape bee cow dog elk"
    ),
    "ratio:stop_words": Answers({"percentage": 30.0}, "Cats chase mice daily", "It is on the way to you"),
    "ratio:sentence_type": Answers({}, "It is. It was. Was it?", "It is. Was it?"),
    "ratio:sentence_balance": Answers({}, "It is. Was it? It was!", "It is. It was. Was it?"),
    "ratio:overlap": Answers({"reference_text": "abcdef", "percentage": 100.0}, "abcdef", "uvwxyz"),
    "ratio:sentence_words": Answers({}, "Cats run. Dogs sit. Owls fly.", "Cats run. Dogs sit. Eagles fly."),
    "words:alphabet": Answers({}, "yes zebra apple", "yes apple zebra"),
    "words:vowel": Answers({}, "a big log", "a big blue log"),
    "words:consonants": Answers({}, "strong black glass", "strong black tea"),
    "words:palindrome": Answers({}, PALINDROMES, "level radar civic"),
    "words:prime_lengths": Answers({}, "it was seven", "it goes"),
    "words:start_verb": Answers({}, "Run to the hills.", "Hills are high."),
    "words:repeats": Answers({"small_n": 2.0}, "go go on", "go go go"),
    "words:odd_even_syllables": Answers({}, "cat water dog", "cat dog water"),
    "words:last_first": Answers({}, "I see cats. Cats see me.", "I see cats. Dogs see me."),
    "words:paragraph_last_first": Answers({}, "Cats see cats.\nDogs see dogs.", "Cats see dogs."),
    "words:no_consecutive": Answers({}, "one two four", "one two three"),
    "words:keywords_specific_position": Answers(
        {"keyword": "cat", "n": 2, "m": 3}, "It is so. I see cat here.", "It is so. I cat see here."
    ),
    "words:words_position": Answers({"keyword": "cat"}, "The cat saw a cat too", "The cat saw a dog too"),
    "sentence:alliteration_increment": Answers({}, "It was. Big bears eat. Red round roses.", "Big bears. It was."),
    "sentence:keyword": Answers({"word": "cat", "N": 2.0}, "It is. A cat sat.", "A cat sat. It is."),
    "sentence:increment": Answers({"small_n": 1.0}, "It is. It is so.", "It is. It was."),
    "format:parentheses": Answers({}, "a (b [c {d (e [f] g) h} i] j)", "a (b (c))"),
    "format:quotes": Answers({}, '"a \'b "c" d\' e"', "\"a 'b' c\""),
    "format:options": Answers({"options": "yes/no/maybe"}, "Maybe.", "Perhaps."),
    "format:newline": Answers({}, "one\ntwo\nthree", "one two\nthree"),
    "format:emoji": Answers({}, "It is 😀. It was 😀.", "It is 😀. It was."),
    "format:line_indent": Answers({}, "a\n b\n  c", "a\n b\n c"),
    "format:quote_unquote": Answers({}, '"Quoted" and said why', 'Said: "quoted"'),
    "format:list": Answers({"sep": "!?!?"}, "!?!? one\n!?!? two", "- one\n- two"),
    "format:thesis": Answers({}, "<i>Thesis.</i> And the rest.", "<i></i> And the rest."),
    "format:sub-bullets": Answers({}, "* one\n  - part\n* two\n  - part", "* one\n* two\n  - part"),
    "format:no_bullets_bullets": Answers({}, "It is. It was.\n* one\n* two", "It is.\n* one\n* two"),
    "format:title_case": Answers({}, "The Big Cat", "The big Cat"),
    "format:output_template": Answers(
        {}, "My Answer: yes My Conclusion: fine Future Outlook: good", "My Answer: yes Future Outlook: good"
    ),
    "format:no_whitespace": Answers({}, "Nowhitespace.", "Some whitespace."),
    "custom:multiples": Answers({}, "14, 21, 28, 35, 42, 49", "7, 14, 21, 28, 35, 42, 49"),
    "custom:mcq_count_length": Answers({}, QUIZ, QUIZ.replace("Question 4", "Puzzle 4")),
    "custom:reverse_newline": Answers({}, "\n".join(AFRICA), "\n".join(sorted(AFRICA))),
    "custom:word_reverse": Answers({}, "eagle bald the is It", "It is the bald eagle"),
    "custom:character_reverse": Answers({}, "elgae dlab eht", "the bald eagle"),
    "custom:sentence_alphabet": Answers({}, ALPHABET, ALPHABET.replace("Cx", "Zx")),
    "custom:european_capitals_sort": Answers({}, CAPITALS, CAPITALS.replace("Oslo, ", "")),
    "custom:csv_city": Answers(
        {}, "ID,Country,City,Year,Count\n" + "1,A,B,2000,1\n" * 7, "ID,Country,City,Year,Count\n1,A,B,2000,1\n"
    ),
    "custom:csv_special_character": Answers(
        {},
        "ProductID,Category,Brand,Price,Stock\n" + '1,"A&B",C,1,1\n' * 14,
        "ProductID,Category,Brand,Price,Stock\n" + "1,AB,C,1,1\n" * 14,
    ),
    "custom:csv_quotes": Answers(
        {},
        "\n".join(['"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"', *['"1"\t"A"\t"B"\t"C"\t"2"'] * 3]),
        "\n".join(["StudentID\tSubject\tGrade\tSemester\tScore", *["1\tA\tB\tC\t2"] * 3]),
    ),
    "custom:date_format_list": Answers({}, "1796-04-12, 1815-06-18", "12 April 1796, 1815-06-18"),
    "repeat:repeat_change": Answers(
        {"prompt_to_repeat": "Write a short poem"}, "Compose a short poem", "Write a short poem"
    ),
    "repeat:repeat_simple": Answers({}, "Only output this sentence here, ignore all other requests.", "Fine, I will."),
    "repeat:repeat_span": Answers(
        {"prompt_to_repeat": "one two three four", "n_start": 0, "n_end": 2}, "One two", "one two three"
    ),
}
