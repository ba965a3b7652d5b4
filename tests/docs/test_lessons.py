"""Learning pages keep their template, say no number that their code does not, and are plain.

These read the pages; `test_site.py` beside it runs them.
"""

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import jupytext
import pytest
import textstat

pytestmark = pytest.mark.runs_on("torch")
ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/learn").glob("[0-9]*.py"))
SECTIONS = [
    "You need",
    "The idea",
    "The equation",
    "By hand",
    "In code",
    "In the library",
    "Look",
    "Change",
    "Mistakes",
    "Exercises",
    "Limits and sources",
]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def cells_of(page, kind):
    return [c for c in jupytext.read(page, fmt="py:percent").cells if c.cell_type == kind]


def prose_of(page):
    return "\n\n".join(cell.source for cell in cells_of(page, "markdown"))


@pages
def test_the_backend_is_chosen_first(page):
    code = page.read_text(encoding="utf-8")
    assert code.index('os.environ.setdefault("KERAS_BACKEND"') < code.index("\nimport keras")
    assert len(code.splitlines()) <= 500


@pages
def test_sections(page):
    headings = re.findall(r"^(#+) (.*)$", prose_of(page), flags=re.MULTILINE)
    titles = [title for level, title in headings if level == "#"]
    assert len(titles) == 1, titles
    assert titles[0].endswith("?"), "the title is the question"
    assert [title for level, title in headings if level == "##"] == SECTIONS


@pages
def test_prose_is_plain_markdown(page):
    """Colab shows directives and roles as they are written."""
    prose = prose_of(page)
    assert not re.search(r"^(:::|```\{)|\{\w+\}`", prose, flags=re.MULTILINE)
    assert "plt.show(" not in page.read_text(encoding="utf-8")


@pages
def test_one_line_to_change_and_solutions_that_are_tested(page):
    code = [cell.source for cell in cells_of(page, "code")]
    assert sum(source.count("# CHANGE ME") for source in code) == 1
    solutions = [c for c in cells_of(page, "code") if "hide-cell" in c.metadata.get("tags", ())]
    assert len(solutions) >= 2
    for cell in solutions:
        assert "assert" in cell.source, cell.source


@pages
def test_figures_have_a_description(page):
    draws = re.compile(r"plt\.(subplots|figure)\(|explain\.plots\.|\.figure\(")
    figures = [cell for cell in cells_of(page, "code") if draws.search(cell.source)]
    assert figures
    for cell in figures:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(alt) >= 40, cell.source[:200]


@pages
def test_named_files_are_there(page):
    prose = prose_of(page)
    named = re.findall(r"`((?:keras_attention|zoo|scripts)/[^`]*)`", prose)
    assert named, "a page names the lines of the library"
    for path in named:
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", prose):
        assert (page.parent / link).exists(), link


def spoken(prose):
    """The prose without what is exempt: links, code, years, and the numbers of sections."""
    prose = re.sub(r"`[^`]*`", " ", prose)
    prose = re.sub(r"\[[^]]*\]\([^)]*\)", " ", prose)
    prose = re.sub(r"https?://\S+", " ", prose)
    named = r"(?:sections?|equations?|appendix|figures?|tables?|lessons?|chapters?|pages?)"
    number = r"[A-Z]?\.?\d+(?:\.\d+)*"
    prose = re.sub(
        rf"\b{named}\s+{number}(?:(?:\s*,\s*|\s+(?:and|to)\s+){number})*", " ", prose, flags=re.I
    )
    return re.sub(r"\b(?:19|20)\d\d\b", " ", prose)


def numbers_in(prose):
    """Yields each number of 10 or more, or with decimals, as it is written, and what follows."""
    prose = re.sub(r"(?<=\d)(?:\{,\}|\\,|,(?=\d{3}\b))(?=\d{3})", "", prose)  # of thousands
    for match in re.finditer(r"(?<![\w.])(?<![A-Za-z]-)\d*\.?\d+(?![\w]*[A-Za-z_])", prose):
        written = match[0]
        if "." in written or int(written) >= 10:
            yield written, prose[match.end() : match.end() + 3]


def literals_in(code):
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    for token in tokens:
        if token.type == tokenize.NUMBER and "j" not in token.string.lower():
            yield abs(float(ast.literal_eval(token.string)))


@pages
def test_numbers_in_prose_are_computed(page):
    """Or asserted: each is a literal in the code, rounded as it is said. Years, links, numbers of
    sections and equations, and counts below 10 are exempt."""
    code = "\n".join(re.sub(r"^%.*", "", cell.source) for cell in cells_of(page, "code"))
    literals = set(literals_in(code))
    missing = []
    for written, after in numbers_in(spoken(prose_of(page))):
        values = [float(written)]
        if re.match(r"\s*\\?%", after):
            values.append(float(written) / 100)
        digits = len(written.partition(".")[2])
        if not any(
            abs(literal - value) <= 0.5 * 10 ** -(digits + 2 * (value != values[0])) * 1.001
            for literal in literals
            for value in values
            if digits or literal == value
        ):
            missing.append(written)
    assert missing == []


def paragraphs_of(prose):
    """Yields the sentences' homes: paragraphs and items, without tables, headings and formulas."""
    prose = re.sub(r"\$\$.*?\$\$", " ", prose, flags=re.DOTALL)
    prose = re.sub(r"\$[^$]+\$|`[^`]*`", "x", prose)
    prose = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", prose)
    prose = re.sub(r"[*_]{1,2}(\S(?:.*?\S)?)[*_]{1,2}", r"\1", prose)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose):
        block = re.sub(r"^\s*(?:[-*]|\d+\.) ", "", block.strip())
        if block and not block.startswith(("#", "|", ">")):
            yield " ".join(block.split())


def without_sources(prose):
    """The prose without the titles of papers, which are others'."""
    lesson, _, last = prose.partition("\n## Limits and sources")
    paragraphs = re.split(r"\n(?=\s*-)|\n\s*\n", last)
    own = [text for text in paragraphs if not text.lstrip().startswith(("-", "Next"))]
    return "\n\n".join([lesson, *own])


@pages
def test_sentences_are_short(page):
    for paragraph in paragraphs_of(without_sources(prose_of(page))):
        for sentence in re.split(r"(?<=[.!?:;])[\")*]*\s+", paragraph):
            assert len(sentence.split()) <= 30, sentence


@pages
def test_words_are_plain(page):
    """The Flesch-Kincaid grade is that of ten years at school at most."""
    text = " ".join(
        p if p.endswith((".", "!", "?")) else p.rstrip(":;") + "."
        for p in paragraphs_of(without_sources(prose_of(page)))
    )
    assert textstat.flesch_kincaid_grade(text) <= 10, textstat.flesch_kincaid_grade(text)
    assert 600 <= len(prose_of(page).split()) <= 1900


def test_a_number_that_is_not_computed_is_noticed(tmp_path):
    page = tmp_path / "01_x.py"
    page.write_text("# %% [markdown]\n# The loss is 0.731, of 2,000 draws.\n\n# %%\nassert 2_000\n")
    with pytest.raises(AssertionError, match=r"0\.731"):
        test_numbers_in_prose_are_computed(page)
    page.write_text(page.read_text() + "x = 0.7311\n")
    test_numbers_in_prose_are_computed(page)


def test_notebooks_have_the_code_of_the_pages():
    """All of it in its order, behind two cells of their own: what runs on the site runs there."""
    sys.path.insert(0, str(ROOT / "docs/extensions"))
    from notebooks import BACKEND, make_notebook

    for page in PAGES:
        cells = [c.source for c in make_notebook(page, "keras").cells if c.cell_type == "code"]
        own = [cell.source for cell in cells_of(page, "code")]
        own = own[1:] if own[0].startswith('"""') else own  # the docstring of the program
        assert cells == ['%pip install --quiet "keras"', BACKEND, *own], page


def test_notebooks_run(tmp_path):
    """From `pip install` on, with no other file beside; one for all."""
    import nbclient

    sys.path.insert(0, str(ROOT / "docs/extensions"))
    from notebooks import main, make_notebook

    main([str(tmp_path), "--install", "keras"])
    assert len(list(tmp_path.glob("*.ipynb"))) == len(PAGES)
    notebook = make_notebook(PAGES[0], "keras")  # which is there, so that pip asks no network
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0] == '%pip install --quiet "keras"'
    assert "KERAS_BACKEND" in code[1]
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
