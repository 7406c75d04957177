"""Prints, as JSON, how google-research/bert's tokenization.py treats each of the 1,112,064 Unicode scalars under this
Python (its functions _is_control, _is_whitespace, _is_punctuation, str.split, str.lower, NFD without Mn).
Used by unicode-tables.mjs alone."""
import json
import sys
import unicodedata


def is_whitespace(c):
    return c in ' \t\n\r' or unicodedata.category(c) == 'Zs'


def is_control(c):
    return c not in '\t\n\r' and unicodedata.category(c) in ('Cc', 'Cf')


def is_punctuation(c):
    cp = ord(c)
    ascii_symbol = 33 <= cp <= 47 or 58 <= cp <= 64 or 91 <= cp <= 96 or 123 <= cp <= 126
    return ascii_symbol or unicodedata.category(c).startswith('P')


out = {'unicode': unicodedata.unidata_version, 'drop': [], 'space': [], 'punct': [], 'mark': [], 'decomposes': [], 'lower': []}
for cp in range(0x110000):
    if 0xD800 <= cp < 0xE000:
        continue
    c = chr(cp)
    if cp in (0, 0xFFFD) or is_control(c):
        out['drop'].append(cp)
        continue
    if is_whitespace(c) or c.isspace():
        out['space'].append(cp)
        continue
    if is_punctuation(c):
        out['punct'].append(cp)
    nfd = unicodedata.normalize('NFD', c)
    stripped = ''.join(x for x in nfd if unicodedata.category(x) != 'Mn')
    if unicodedata.category(c) == 'Mn':
        out['mark'].append(cp)
    elif nfd != c:
        out['decomposes'].append([cp, stripped])
    if c.lower() != c:
        out['lower'].append([cp, c.lower()])
json.dump(out, sys.stdout)
