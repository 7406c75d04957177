"""Words and pieces of google-research/bert's tokenization.py for odd strings: the `google` dialect's golden values.

  python3 test/golden/google-tokenizer.py path/to/tokenization.py     (commit eedf571; Python 3.11, Unicode 14)

Writes google-tokenizer.golden.json beside itself: a small vocabulary, and for each text its words cased and uncased and its
pieces uncased.
"""
import importlib.util
import json
import os
import random
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.modules['tensorflow'] = types.ModuleType('tensorflow')  # imported there, used for file access alone
six = types.ModuleType('six')
six.PY2, six.PY3 = False, True
sys.modules['six'] = six
spec = importlib.util.spec_from_file_location('tokenization', sys.argv[1])
google = importlib.util.module_from_spec(spec)
spec.loader.exec_module(google)

TEXTS = [
    '', ' ', '\t\r\n', 'Hello, World!', 'UNwantéd,running', 'ah\u535A\u63A8zz', ' \tHeLLo!how  \n Are yoU?  ', 'Héllo',
    'ΑΣ', 'ΑΣ.', 'ΑΣΑ', 'Σ', '.Σ', "ΑΣ'Α", 'ΟΔΥΣΣΕΥΣ ΟΔΟΣ\u0301 ΣΑΣ', 'α\u00adΣ', 'ΑΣ\u2028Α', 'ΑΣ\u200bΑ',
    'İstanbul ISPARTA ığdır', 'ſtraße STRASSE ẞ', 'ǅ Ǆ ǆ', '\u212bngström \u212a', 'ﬁnal ﬀ', 'x\u0301\u0323', 'x\u0323\u0301',
    '\u0301', 'a\u0301', '각 각 ᄀ', 'が ガ ｶﾞ', '日本語テキスト', '한국어 텍스트', 'ไทย', 'हिन्दी', '中文English混排123',
    '\u2b820 \U0002b820\U0002b91f\U0002b920', '\U00020000x\U0002fa1d', '\uf900\ufa0e\ufaff', '々〆〇', 'a\u0000b\ufffdc\u0007d',
    'a\u00a0b\u2003c\u3000d\u0085e\u1680f', 'a\u2028b\u2029c', 'zero\u200bwidth\u200djoin\ufeffbom', '\u202eabc\u202c',
    '\ue000private\uf8ff', '\U000e0001tag', '😀👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f', '$10 + 2^3 = `x` ~ |y|', '…—«»„“”‘’、。！？（）',
    "don't can't o'clock", '[MASK] [CLS] [UNK]', '##ing # #x', 'www.example.com/a_b?c=d&e', '1,234.56 3:45 50%',
    '٣٤٥ ۱۲ Ⅻ ½ ²', 'Ω ℧ ™ © ®', '\u0345ͅ', '\u0f71\u0f72\u0f73', '\u1e9b\u0323', '\u302e\u302f', '\U0001d165\U0001d16e',
    'x' * 100, 'x' * 101, 'x' * 200, 'x' * 201, 'é' * 201, '\U0001d4d0' * 101, '\U00010400\U0001e900\u13a0\uab70',
    '\u0378\U000323b0 unassigned', '\ud7a4 \u0e01\u0e33', 'A\u030aB\u0327\u030c', '\u03f4 \u1e9e \u2126',
]
LETTERS = list('abcXYZéÉÀñÑøßİıΣσςΑ') + ['\u0301', '\u0323', '\u0345', '\u200d', '\u00ad', '\u200b', '\u0000', '\ufffd']
OTHERS = list('  \t\n.,-\'"[]#!') + ['\u00a0', '\u2028', '\u3000', '中', '文', '\uf900', '\U0002b820', '가', 'が', 'ﬁ', '😀']
RANDOM = random.Random(4)
for _ in range(240):
    TEXTS.append(''.join(RANDOM.choice(LETTERS + OTHERS) for _ in range(RANDOM.randint(1, 24))))

VOCAB = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'un', '##want', '##ed', ',', 'runn', '##ing', '.', '中', '文', 'x', '##x']
VOCAB += ['##xx', '[', ']', 'mask', 'ς', 'σ', 'α', '##α', '##σ', '##ς', 'a', 'b', 'c', 'y', 'z', 'e', 'n', '##a', '##b', '##c']
VOCAB += ['##y', '##z', '##e', '##n', 'i', '##i', '##ab', '##ee', 'ab', "'", '-', '!', '#', '"', 'ø', '##ø', '豈', '가', '##か', 'か']


def main():
    cased, uncased = google.BasicTokenizer(do_lower_case=False), google.BasicTokenizer(do_lower_case=True)
    pieces = google.WordpieceTokenizer({token: i for i, token in enumerate(VOCAB)})
    cases = []
    for text in TEXTS:
        words = uncased.tokenize(text)
        cut = [piece for word in words for piece in pieces.tokenize(word)]
        cases.append({'text': text, 'cased': cased.tokenize(text), 'uncased': words, 'pieces': cut})
    lines = ',\n'.join('  ' + json.dumps(case) for case in cases)
    with open(os.path.join(HERE, 'google-tokenizer.golden.json'), 'w', encoding='ascii') as file:
        file.write('{"vocab": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(VOCAB, ensure_ascii=True), lines))


main()
