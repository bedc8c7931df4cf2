"""TIMIT's folding, against the groups of Lee and Hon's paper, listed by the folded phoneme."""

import pytest

from tfrec.text import phonemes

# Each of the 39 and the phonemes of the 61 that fold to it; the glottal stop q folds to none.
GROUPS = """
aa: aa ao; ae: ae; ah: ah ax ax-h; aw: aw; ay: ay; b: b; ch: ch; d: d; dh: dh; dx: dx; eh: eh; er: er axr; ey: ey;
f: f; g: g; hh: hh hv; ih: ih ix; iy: iy; jh: jh; k: k; l: l el; m: m em; n: n en nx; ng: ng eng; ow: ow; oy: oy;
p: p; r: r; s: s; sh: sh zh; sil: pcl tcl kcl bcl dcl gcl h# pau epi; t: t; th: th; uh: uh; uw: uw ux; v: v; w: w;
y: y; z: z
"""


def test_fold_to_39():
    groups = dict(group.strip().split(": ") for group in GROUPS.split(";"))
    assert len(groups) == 39
    assert sorted(phonemes.SYMBOLS_39) == sorted(groups)
    members = [(member, folded) for folded, group in groups.items() for member in group.split()]
    assert len(members) == 60
    assert {**dict(members), "q": ""} == phonemes.TO_39


def test_fold_to_48():
    assert (len(phonemes.SYMBOLS_61), len(set(phonemes.SYMBOLS_61)), len(phonemes.SYMBOLS_48)) == (61, 61, 48)
    assert {"cl", "vcl", "epi", "sil", "ax", "ix", "zh", "el", "en", "ao"} < set(phonemes.SYMBOLS_48)
    for symbol in phonemes.SYMBOLS_61:
        assert phonemes.fold(phonemes.fold([symbol], to=48)) == phonemes.fold([symbol])


def test_fold():
    assert phonemes.fold(["pcl", "p", "q", "ix", "h#"]) == ["sil", "p", "ih", "sil"]
    assert phonemes.fold(["pcl", "p", "q", "ix", "h#"], to=48) == ["cl", "p", "ix", "sil"]
    assert phonemes.fold(phonemes.SYMBOLS_39) == list(phonemes.SYMBOLS_39)
    assert phonemes.fold(["other", "sil"]) == ["other", "sil"]
    with pytest.raises(ValueError, match=r"to must be 39 or 48. Received: 40"):
        phonemes.fold([], to=40)
