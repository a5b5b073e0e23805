"""Words in labels that are not targets: spellings of the control, and cells without an assignment."""

from __future__ import annotations

import re

MISSING = frozenset({"", "nan", "none", "na", "n/a", "<na>", "null", "nat"})
"""Spellings of a missing value in files."""
ASSIGNERS = frozenset(
    {
        *("unassigned", "not assigned", "unassignable", "unknown", "undetermined", "unmapped", "ambiguous", "no call"),
        *("multiplet", "multiplets", "doublet", "doublets", "multiple", "multiple guides", "multi", "multi guide"),
        *("no guide", "no guides", "noguide", "no grna", "no sgrna", "no guide assigned", "no perturbation assigned"),
        *("low quality", "lowquality", "low count", "failed", "uncalled", "*", "?", "-", "--"),
    }
)
"""Words of guide assigners for cells without a guide, or with several guides."""
UNASSIGNED = MISSING | ASSIGNERS

# In these patterns a space means any or no separator, and # means a number.
_CONTROL = {
    "non-targeting": "(?:non?|not) targ(?:et)?(?:ing|ting|ed|s)?|non? tgt|nt(?:c(?!ontrol|trl|tl))?",
    "control": "(?:neg(?:ative)? )?(?:controls?|ctrls?|ctls?)|neg(?!ative)|nc",
    "negative": "negatives?",
    "safe": "safe(?: (?:target(?:ing|ed)?|harbou?r|cutt(?:er|ing)|sites?))?",
    "AAVS1": "h?aavs§",
    "Rosa26": "(?:gt )?[hm]?rosa§",
    "scrambled": "scrambled?|scr|scrm|scram",
    "no gene": "inter ?genic(?: sites?)?|no sites?|non ?gen(?:e|ic)(?: sites?)?|gene deserts?",
    "unperturbed": "(?:un|non?) (?:perturbed|perturbation|edited|modified|engineered)",
    "untreated": "(?:un|non?) (?:treated|treatment|stimulated|stim|drug|infected|transduced|transfected)",
    "DMSO": "dmso|dimethyl sulf?oxide",
    "vehicle": "vehicles?|veh",
    "PBS": "d?pbs",
    "saline": "saline",
    "mock": "mock",
    "wild type": "wt|wild ?type",
    "parental": "parental",
    "LacZ": "lacz",
    "GFP": "[ei]?gfp",
    "fluorescent": "mcherry|tdtomato|dsred|e?bfp|e?yfp|rfp",
    "luciferase": "luciferases?|[fr]?luc",
    "empty vector": "empty(?: (?:vector|plasmid|backbone|cassette|guide))?|ev|vector(?: only)?|backbone",
    "medium": "medi(?:a|um)(?: only)?",
    "placebo": "placebo|sham",
    "isotype": "isotype",
    "cas9 only": "d?cas# only",
}
_BEFORE = "hs|mm|one|gt|crrna|lenti|(?<![a-z])[hmp] "
_AFTER = (
    "controls?|ctrls?|guides?|grnas?|sgrnas?|shrnas?|sirnas?|sites?|for|human|mouse|pools?|cells?|vectors?|plasmids?|"
    "backbone|virus|treated|only|rep|tf|mod|sg|sh|si|g|p|[acgt]{8,}|(?<= )[a-z](?![a-z])|(?<=#)[hd](?![a-z])"
)
# A control consists only of these words, in sequence; the words for a control are first.
_WORD = re.compile(
    "|".join(f"(?P<w{i}>{pattern.replace(' ', ' ?')})" for i, pattern in enumerate(_CONTROL.values()))
    + f"|(?P<around>{_AFTER}|{_BEFORE}|#|\\+| )"
)
_KEYS = tuple(_CONTROL)
# A number directly behind one of these makes it a gene (WT1) or another word.
_NOT_A_CONTROL = re.compile(r"(?:wt|nc|ev|scr)#.*|.*[+-]$")
_HOLDS = re.compile(
    r"(?<![a-z])(?:non[ -]?targ\w*|controls?|ctrls?|negctrl|ntc?(?!#)|scrambled?|safe ?harbou?r|aavs§|dmso|untreated|"
    r"unperturbed|lacz|e?gfp|luciferase|mcherry)(?![a-z])"
)
_LONGEST = 120


def control_word(label: str) -> str | None:
    """Return the canonical word for a control if the label (or each part of it) is a control, otherwise None."""
    if len(label) > _LONGEST or not (text := _normalized(label)):
        return None
    word, at = None, 0
    while at < len(text):
        if (match := _WORD.match(text, at)) is None or match.end() == at:
            return None
        if word is None and match.lastgroup and match.lastgroup != "around":
            word = _KEYS[int(match.lastgroup[1:])]
        at = match.end()
    return None if word is None or _NOT_A_CONTROL.fullmatch(text) else word


def is_control_word(label: str) -> bool:
    """Whether a label (or each part of it) looks like a control, for any case, punctuation and number."""
    return control_word(label) is not None


def holds_control_word(label: str) -> bool:
    """Whether a part of the label is a common word for a control."""
    return len(label) <= _LONGEST and _HOLDS.search(_normalized(label)) is not None


def unassigned_word(label: str) -> str | None:
    """Return ``"missing"`` or ``"unassigned"`` for a label without an assignment, otherwise None."""
    bare = label.strip().casefold()
    if bare in MISSING:
        return "missing"
    return "unassigned" if bare in ASSIGNERS or re.sub(r"[\W_]+", " ", bare).strip() in ASSIGNERS else None


def _normalized(label: str) -> str:
    """Return lower case with # for numbers and a space for separators; a sign at the end stays (GFP+ is a gate)."""
    text = label.strip().casefold()
    sign = text[-1:] if text[-1:] in ("+", "-") else ""
    if text.isalpha():
        return text
    if "aavs" in text or "rosa" in text:
        text = re.sub(r"(?:(?<=aavs)[\W_]*1|(?<=rosa)[\W_]*26)(?!\d)", "§", text)
    plain, text = text.isalnum(), re.sub(r"\d+", "#", text)
    if plain:
        return text
    # A plus stays, so that ctrl+A is not read as ctrl_A, the first of several controls.
    text = re.sub(r" *\+ *", "+", re.sub(r"[^\w#§+]+|_+", " ", text).strip(" +"))
    return f"{text}{sign}" if text else ""
