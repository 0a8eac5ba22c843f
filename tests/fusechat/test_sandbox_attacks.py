"""Answers that try to pass without solving the task: none may. One list of attacks for each class of them."""

import time
from collections.abc import Sequence

import pytest

from fusechat.sandbox import Case, CodeTests, Limits, Sandbox

LIMITS = Limits(wall_s=2.0, cpu_s=2.0, load_s=1.5)
ADD = ["assert add(2, 3) == 5", "assert add(10, 20) == 30"]
FLOATS = ["assert abs(mean([1.0, 2.0]) - 1.5) < 1e-6", "assert math.isclose(mean([2.0]), 2.0)"]

EARLY_EXIT = [
    ("import os\ndef add(a, b):\n    os._exit(0)", ADD),
    ("import sys\ndef add(a, b):\n    sys.exit(0)", ADD),
    ("import sys\nsys.exit(0)\ndef add(a, b):\n    return a + b", ADD),
    ("import os\nos._exit(0)", ADD),
    ("def add(a, b):\n    raise SystemExit", ["try:\n    add(1, 2)\nexcept BaseException:\n    pass"]),
    ("def add(a, b):\n    raise KeyboardInterrupt", ["try:\n    add(1, 2)\nexcept:\n    pass", *ADD]),
    ("def add(a, b):\n    raise GeneratorExit", ADD),
    (
        "import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), signal.SIGKILL)",
        ["try:\n    add(1, 2)\nexcept BaseException:\n    pass"],
    ),
    ("import os\ndef add(a, b):\n    os.execv('/bin/true', ['true'])", ADD),
    ("import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b):\n    quit()", ADD),
    (
        "import threading, os\nthreading.Timer(0.01, os._exit, [0]).start()\ndef add(a, b):\n    import time\n    time.sleep(1)\n    return 0",
        ADD,
    ),
    ("import os\npid = os.fork()\nif pid:\n    os._exit(0)\ndef add(a, b):\n    return 0", ADD),
    ("import unittest\ndef add(a, b):\n    raise unittest.SkipTest('skip')", ADD),
    (
        "class Skipped(BaseException):\n    pass\ndef add(a, b):\n    raise Skipped",
        ["try:\n    add(1, 2)\nexcept BaseException:\n    pass"],
    ),
]
RESOURCES = [
    ("def add(a, b):\n    while True:\n        pass", ADD),
    ("def add(a, b):\n    return sum(range(10 ** 12))", ADD),
    ("def add(a, b):\n    return 7 ** (10 ** 9)", ADD),
    ("import time\ndef add(a, b):\n    time.sleep(1000)", ADD),
    ("import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), signal.SIGSTOP)", ADD),
    (
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef add(a, b):\n    while True:\n        pass",
        ADD,
    ),
    ("def add(a, b):\n    x = 'a'\n    while True:\n        x += x", ADD),
    ("def add(a, b):\n    return [0] * 10 ** 10", ADD),
    (
        "import os\ndef add(a, b):\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass",
        ADD,
    ),
    (
        "import threading, time\ndef add(a, b):\n    while True:\n        threading.Thread(target=time.sleep, args=(99,)).start()",
        ADD,
    ),
    ("def add(a, b):\n    while True:\n        print('x' * 10000)", ADD),
    (
        "def add(a, b):\n    n = 0\n    while True:\n        n += 1\n        with open(f'f{n}', 'w') as f:\n            f.write('x' * 10 ** 6)",
        ADD,
    ),
    ("def add(a, b):\n    return add(a, b)", ADD),
    ("import sys\nsys.setrecursionlimit(10 ** 9)\ndef add(a, b):\n    return add(a, b)", ADD),
    ("def add(a, b):\n    return 'x' * 10 ** 8", ADD),
    ("def add(a, b):\n    r = []\n    for _ in range(10 ** 6):\n        r = [r]\n    return r", ADD),
    ("def add(a, b):\n    while True:\n        yield 5", ["assert list(add(2, 3)) == [5]"]),
    ("import re\ndef add(a, b):\n    return re.match('(a+)+$', 'a' * 60 + 'b')", ADD),
    ("while True:\n    pass\ndef add(a, b):\n    return a + b", ADD),
    (
        "import os\ndef add(a, b):\n    x = [bytearray(200 << 20) for _ in range(3)]\n    for _ in range(20):\n        if os.fork() == 0:\n            y = bytearray(300 << 20)\n    while True:\n        pass",
        ADD,
    ),
]
LIAR = "class L:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __hash__(s): return 0\n    def __bool__(s): return True\n"
NUMBER = LIAR + "".join(
    f"    def __{name}__(s, *o): return {value}\n"
    for name, value in {
        "sub": "0.0", "rsub": "0.0", "add": "s", "radd": "s", "abs": "0.0", "lt": "True", "le": "True", "gt": "True", "ge": "True",
        "truediv": "1.0", "mul": "s", "contains": "True", "round": "s", "neg": "s", "mod": "0", "and": "True", "xor": "0",
    }.items()
)  # fmt: skip
LYING = [
    (LIAR + "def add(a, b):\n    return L()", ADD),
    (LIAR + "def add(a, b):\n    return L()", ["assert 5 == add(2, 3)", "assert not add(2, 3) != 5"]),
    (NUMBER + "def mean(xs):\n    return L()", FLOATS),
    (NUMBER + "def mean(xs):\n    return L()", ["assert abs(1.5 - mean([1, 2])) < 1e-6"]),
    (NUMBER + "def add(a, b):\n    return L()", ["assert add(2, 3) <= 5 and add(2, 3) >= 5"]),
    (NUMBER + "def add(a, b):\n    return L()", ["assert 5 <= add(2, 3) <= 5"]),
    (NUMBER + "def f(xs):\n    return L()", ["assert 3 in f([1, 2, 3])"]),
    (NUMBER + "def f(xs):\n    return L()", ["assert f(3) in (1, 2)", "assert f(3) in {1, 2}", "assert f(3) in [5]"]),
    (LIAR + "def f(xs):\n    return [L(), L()]", ["assert f([2, 1]) == [1, 2]"]),
    (LIAR + "def f(xs):\n    return {'a': L()}", ["assert f(1) == {'a': 1}"]),
    (LIAR + "def f(xs):\n    return (L(), {L()})", ["assert f(1) == (1, {2})"]),
    ("class I(int):\n    def __eq__(s, o): return True\n    def __hash__(s): return 5\n    def __sub__(s, o): return 0\n    def __lt__(s, o): return True\ndef add(a, b):\n    return I(0)", ADD),
    ("class F(float):\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0.0\n    def __rsub__(s, o): return 0.0\n    def __float__(s): return 1.5\n    def __abs__(s): return 0.0\ndef mean(xs):\n    return F(9)", FLOATS),
    ("class S(str):\n    def __eq__(s, o): return True\n    def __hash__(s): return 1\n    def startswith(s, o): return True\n    def __contains__(s, o): return True\n    def lower(s): return s\n    def strip(s, *a): return s\ndef f(x):\n    return S('zzz')", ["assert f(1).startswith('a')"]),
    ("class S(str):\n    def __eq__(s, o): return True\n    def __hash__(s): return 1\n    def lower(s): return s\ndef f(x):\n    return S('zzz')", ["assert f(1).lower() == 'abc'"]),
    ("class S(str):\n    def __contains__(s, o): return True\ndef f(x):\n    return S('zzz')", ["assert 'abc' in f(1)"]),
    ("class X(list):\n    def __eq__(s, o): return True\n    def __len__(s): return 3\n    def __iter__(s): return iter([1, 2, 3])\n    def sort(s, **k): pass\ndef f(x):\n    return X([9])", ["assert f(1) == [1, 2, 3]"]),
    ("class X(list):\n    def __eq__(s, o): return True\n    def issubset(s, o): return True\n    def count(s, o): return 2\ndef f(x):\n    return X([9])", ["assert f(1).count(1) == 2"]),
    ("class D(dict):\n    def __eq__(s, o): return True\n    def __getitem__(s, k): return 1\n    def items(s): return [('a', 1)]\n    def __missing__(s, k): return 1\ndef f(x):\n    return D()", ["assert f(1) == {'a': 1}"]),
    ("class T(set):\n    def __eq__(s, o): return True\n    def issubset(s, o): return True\n    def __le__(s, o): return True\n    def __sub__(s, o): return set()\ndef f(x):\n    return T({9})", ["assert f(1) <= {1, 2}", "assert f(1).issubset({1, 2})"]),
    ("class P:\n    def issubset(s, o): return True\n    def startswith(s, o): return True\n    def endswith(s, o): return True\n    def isdisjoint(s, o): return True\ndef f(x):\n    return P()", ["assert f(1).startswith('a')"]),
    ("class P:\n    def issubset(s, o): return True\ndef f(x):\n    return P()", ["assert f(1).issubset({1})"]),
    ("class M(type):\n    def __eq__(s, o): return True\n    def __hash__(s): return 1\nclass C(metaclass=M):\n    pass\ndef f(x):\n    return C", ["assert f(1) == int", "assert f(1) == 5"]),
    ("from unittest.mock import ANY\ndef add(a, b):\n    return ANY", ADD),
    ("from unittest.mock import MagicMock\ndef add(a, b):\n    m = MagicMock()\n    m.__eq__.return_value = True\n    m.__sub__.return_value = 0\n    return m", ADD),
    ("class A:\n    @property\n    def __class__(s): return int\n    def __eq__(s, o): return True\ndef add(a, b):\n    return A()", ["assert isinstance(add(2, 3), int)", *ADD]),
    ("class int2(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\nint2.__name__ = int2.__qualname__ = 'int'\ndef add(a, b):\n    return int2(1)", ["assert type(add(2, 3)) is int and add(2, 3) == 5"]),
    ("def mean(xs):\n    return float('nan')", ["assert not abs(mean([1.0, 2.0]) - 1.5) > 1e-6 and mean([1]) == mean([1])"]),
    (LIAR + "class O(L):\n    def __getattr__(s, n): return O()\n    def __call__(s, *a): return O()\n    def __getitem__(s, i): return O()\ndef f(x):\n    return O()", ["assert f(1).x == 1", "assert f(1)[0] == 1", "assert f(1)() == 1"]),
    (LIAR + "class G(L):\n    def __iter__(s): return iter([L(), L()])\n    def __len__(s): return 2\ndef f(x):\n    return G()", ["assert list(f(1)) == [1, 2]"]),
    (LIAR + "class R(Exception):\n    def __eq__(s, o): return True\ndef f(x):\n    return L()", ["assert {f(1): 1}.get(5) == 1"]),
    ("import numpy as np\nclass A(np.ndarray):\n    def __eq__(s, o): return True\ndef add(a, b):\n    return np.zeros(1).view(A)", ADD),
    ("from decimal import Decimal\nclass D(Decimal):\n    def __eq__(s, o): return True\n    def __sub__(s, o): return Decimal(0)\ndef add(a, b):\n    return D(0)", ADD),
    ("from fractions import Fraction\nclass D(Fraction):\n    def __eq__(s, o): return True\n    def __sub__(s, o): return Fraction(0)\n    def __abs__(s): return 0\ndef mean(xs):\n    return D(0)", FLOATS),
]  # fmt: skip
PATCHING = [
    ("import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = lambda x: True\nbuiltins.isinstance = lambda *a: True\ndef mean(xs):\n    return 0.0", FLOATS),
    ("import math\nmath.isclose = lambda *a, **k: True\ndef mean(xs):\n    return 0.0", ["assert math.isclose(mean([2.0]), 2.0)"]),
    ("import math\nmath.isclose = lambda *a, **k: True\ndef mean(xs):\n    return 0.0", ["import math\nassert math.isclose(mean([2.0]), 2.0)"]),
    ("def abs(x):\n    return 0\ndef mean(xs):\n    return 0.0", FLOATS[:1]),
    ("class math:\n    isclose = staticmethod(lambda *a, **k: True)\n    fabs = staticmethod(lambda x: 0)\ndef mean(xs):\n    return 0.0", FLOATS[1:]),
    ("def sorted(x):\n    return [0]\ndef set(x):\n    return 0\ndef len(x):\n    return 0\ndef f(x):\n    return [0]", ["assert sorted(f([2, 1])) == sorted([2, 1])", "assert set(f([2])) == set([2])"]),
    ("def Counter(x):\n    return 1\ndef f(x):\n    return x[:1]", ["assert Counter(f('aab')) == Counter('aab')"]),
    ("import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef add(a, b):\n    return 0", ["import unittest\nunittest.TestCase().assertEqual(add(2, 3), 5)"]),
    ("class A(BaseException):\n    pass\nimport builtins\nbuiltins.AssertionError = A\ndef add(a, b):\n    return 0", ADD),
    ("import sys\nclass F:\n    def find_spec(s, n, p, t=None):\n        return None\nsys.meta_path.insert(0, F())\nsys.modules['math'] = F()\ndef mean(xs):\n    return 0.0", FLOATS),
    ("import sys\ndef tr(frame, event, arg):\n    frame.f_globals['expected'] = 0\n    return tr\nsys.settrace(tr)\ndef add(a, b):\n    return 0", ADD),
    ("import sys\nsys.excepthook = lambda *a: None\nimport os\nsys.stderr = sys.stdout = open(os.devnull, 'w')\ndef add(a, b):\n    return 0", ADD),
    ("import ctypes\ndef add(a, b):\n    x = ctypes.c_int.from_address(id(5) + 24)\n    x.value = 0\n    return 0", ADD),
    ("import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Channel':\n        o.receive = lambda: ['do', [], 1]\ndef add(a, b):\n    return 0", ADD),
    ("import json, struct\njson.dumps = lambda *a, **k: '[\"done\"]'\nstruct.pack = lambda *a: b''\ndef add(a, b):\n    return 0", ADD),
    ("import operator\noperator.eq = lambda a, b: True\nimport functools\nfunctools.reduce = lambda *a: True\ndef add(a, b):\n    return 0", ADD),
    ("def candidate(*a):\n    return 5\ndef check(f):\n    pass\ndef add(a, b):\n    return 0", {"entry_point": "add", "asserts": ["def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(1, 1) == 2"]}),
    ("__builtins__ = {}\n__name__ = '__main__'\ndef print(*a):\n    pass\ndef range(n):\n    return ()\ndef add(a, b):\n    return 0", ["for i in range(3):\n    assert add(i, i) == 2 * i + (i == 0) * 0 and add(1, 1) == 2"]),
]  # fmt: skip
ORACLES = [
    ("import sys\ndef add(a, b):\n    f = sys._getframe()\n    while f:\n        for v in list(f.f_locals.values()) + list(f.f_globals.values()):\n            if isinstance(v, str) and 'add(' in v and '==' in v:\n                return eval(v.split('==')[1])\n        f = f.f_back\n    return 0", ADD),
    ("import gc\ndef add(a, b):\n    for o in gc.get_objects():\n        if isinstance(o, dict):\n            for v in list(o.values()):\n                if isinstance(v, (list, str)) and ''.join(['as', 'sert add(2']) in str(v)[:9999]:\n                    return 5\n    return 0", ["assert add(2, 3) == 5"]),
    ("def add(a, b):\n    try:\n        data = open('/proc/self/mem', 'rb')\n        for line in open('/proc/self/maps'):\n            lo, hi = (int(x, 16) for x in line.split()[0].split('-'))\n            try:\n                data.seek(lo)\n                if b'assert add(2, 3) ==' + b' 5' in data.read(hi - lo):\n                    return 5\n            except (OSError, ValueError):\n                pass\n    except OSError:\n        pass\n    return 0", ["assert add(2, 3) == 5"]),
    ("import ctypes\ndef add(a, b):\n    c = ctypes.CDLL(None)\n    buf = ctypes.create_string_buffer(4096)\n    import os\n    for pid in range(1, 20):\n        if c.ptrace(16, pid, 0, 0) == 0 or c.syscall(310, pid, buf, 1, buf, 1, 0) > 0:\n            return 5\n    return 0", ["assert add(2, 3) == 5"]),
    ("import os\ndef add(a, b):\n    for fd in range(3, 64):\n        for flag in (0,):\n            try:\n                os.lseek(fd, 0, 0)\n                if b'assert' in os.read(fd, 9999):\n                    return 5\n            except OSError:\n                pass\n    return 0", ["assert add(2, 3) == 5"]),
    ("import glob, sys, os\ndef add(a, b):\n    for p in glob.glob('/tmp/**', recursive=True) + glob.glob('/proc/*/cmdline') + glob.glob('/proc/*/environ') + glob.glob('/dev/shm/*') + glob.glob('/proc/*/fd/*'):\n        try:\n            if b'assert add' in open(p, 'rb').read():\n                return 5\n        except OSError:\n            pass\n    return 5 if 'assert' in ' '.join(sys.argv + list(os.environ.values())) else 0", ["assert add(2, 3) == 5"]),
    ("class Spy:\n    seen = []\n    def __eq__(s, o):\n        Spy.seen.append(o)\n        return False\n    def __ne__(s, o):\n        Spy.seen.append(o)\n        return True\ndef add(a, b):\n    return Spy.seen[-1] if Spy.seen else Spy()", ["r = [add(2, 3) == 5, add(2, 3) == 5]\nassert r[1]"]),
    ("class Spy:\n    seen = []\n    def __rsub__(s, o):\n        Spy.seen.append(o)\n        return 9\n    __sub__ = __lt__ = __gt__ = __contains__ = __rsub__\ndef add(a, b):\n    return Spy.seen[-1] if Spy.seen else Spy()", ["for _ in range(3):\n    try:\n        ok = abs(add(2, 3) - 5) < 1e-9\n    except TypeError:\n        ok = False\nassert ok"]),
    ("def apply(f):\n    seen = [getattr(f, '__globals__', {}).get('expected'), *getattr(f, '__code__').co_consts, *(f.__defaults__ or ())]\n    seen += [c.cell_contents for c in f.__closure__ or ()]\n    return next((v for v in seen if v == 5), 0)", ["expected = 5\nassert apply(lambda: expected) == 5", "assert apply(lambda x=5: 5) == 5"]),
    ("def run(obj):\n    return getattr(obj, '_secret', 0) or getattr(obj, '__dict__', {}).get('_secret', 0)", ["class T:\n    def __init__(self):\n        self._secret = 5\nassert run(T()) == 5"]),
    ("import traceback, sys\ndef add(a, b):\n    try:\n        raise ValueError\n    except ValueError as e:\n        t = e.__traceback__\n        f = t.tb_frame\n        while f.f_back:\n            f = f.f_back\n        return 5 if 'suite' in f.f_locals or 'tests' in f.f_locals and f.f_locals['tests'] else 0", ["assert add(2, 3) == 5"]),
    ("import inspect, linecache\ndef add(a, b):\n    for f in inspect.stack(0):\n        if 'assert' in ''.join(linecache.getlines(f.filename)):\n            src = ''.join(linecache.getlines(f.filename))\n            if 'add(2, 3)' in src:\n                return 5\n    return 0", ["assert add(2, 3) == 5"]),
]  # fmt: skip
FORGED = [
    ("print('PASS'); print('{\"verdict\": \"pass\"}')\ndef add(a, b):\n    print('1 passed')\n    return 0", ADD),
    ("import os, json\ndef add(a, b):\n    msg = json.dumps({'done': True, 'passed': 2, 'total': 2, 'first_failure': None, 'answer_failed': None, 'answer_text': None}).encode() + b'\\n'\n    for fd in range(0, 64):\n        try:\n            os.write(fd, msg)\n        except OSError:\n            pass\n    return 0", ADD),
    ("import os, json, struct\ndef add(a, b):\n    msg = json.dumps(['value', [], 6]).encode()\n    msg = struct.pack('>I', len(msg)) + msg\n    for fd in range(3, 64):\n        try:\n            os.write(fd, msg * 1)\n        except OSError:\n            pass\n    return 0", ADD),
    ("import os, json, struct\ndef add(a, b):\n    for m in (['done'], ['value', [], ['n', 'eval']], ['value', [], ['zz', 1]], {}, 5, ['raised', [], [['m', 9, ['l', []]]], '', ['t', []], None]):\n        msg = json.dumps(m).encode()\n        for fd in range(3, 64):\n            try:\n                os.write(fd, struct.pack('>I', len(msg)) + msg)\n            except OSError:\n                pass\n    return 0", ADD),
    ("import os\ndef add(a, b):\n    for fd in range(3, 64):\n        try:\n            os.write(fd, b'\\xff' * 100)\n        except OSError:\n            pass\n    return 0", ADD),
    ("import os\ndef add(a, b):\n    for fd in range(3, 64):\n        try:\n            os.write(fd, b'\\x00\\x7f\\xff\\xff' + b'[' * 8388607)\n        except OSError:\n            pass\n    return 0", ADD),
    ("import os\ndef add(a, b):\n    os.closerange(0, 64)\n    return 0", ADD),
    ("import pickle, os\nclass E:\n    def __reduce__(s):\n        return (os._exit, (0,))\n    __reduce_ex__ = lambda s, p: (os._exit, (0,))\ndef add(a, b):\n    return E()", ADD),
    ("for path in ('verdict.json', 'result.json', '/tmp/verdict', 'report.xml', '.pytest_cache'):\n    try:\n        open(path, 'w').write('pass')\n    except OSError:\n        pass\ndef add(a, b):\n    return 0", ADD),
    ("import gc\ndef add(a, b):\n    for o in gc.get_objects():\n        if type(o).__name__ == 'Player':\n            o.channel.send(['value', [], 5])\n            o.channel.send(['value', [], 30])\n    return 0", ["assert add(2, 3) == 7"]),
    ("import sys\ndef add(a, b):\n    import inside.wire as w\n    w.Encoder.encode = lambda *a: ['h', 1, ['k', 1, 'int', [], [], [], 'identity', ['int'], 'int', ''], 5]\n    return 0", ["assert add(2, 3) == 7"]),
    ("def add(a, b):\n    raise AssertionError", ["try:\n    add(2, 3)\n    assert False\nexcept ValueError:\n    pass"]),
    ("class E(Exception):\n    pass\nE.__name__ = 'ValueError'\ndef add(a, b):\n    raise E", ["try:\n    add(2, 3)\n    assert False\nexcept ValueError:\n    pass"]),
]  # fmt: skip
NAMED_CLASSES = [
    ("class P:\n    def __init__(s, x=0): s.x = x\n    def __sub__(s, o): return 0.0\n    def __abs__(s): return 0.0\n    def far(s): return s", ["assert abs(P(3).far() - 5) < 1e-6"]),
    ("class P:\n    def __rsub__(s, o): return 0.0\n    @property\n    def area(s): return P()", ["assert abs(12.56 - P().area) < 0.1"]),
    ("class P:\n    def __sub__(s, o): return s\n    def __abs__(s): return 0.0\n    def __pow__(s, n): return 0.0\n    def far(s): return s", ["assert abs(P().far() - 5) < 1e-6", "assert (P().far() - 5) ** 2 < 1e-6"]),
    ("class P(float):\n    def __sub__(s, o): return 0.0\n    def area(s): return P(9)", ["assert abs(P(2).area() - 12.5) < 0.1"]),
    ("class P:\n    seen = []\n    def __sub__(s, o):\n        P.seen.append(o)\n        return P.seen[0] - o\n    def far(s): return s", ["assert abs(P().far() - 5) < 1e-6"]),
    ("class P:\n    def __contains__(s, o): return True\n    def items(s): return P()", ["assert 3 in P().items()", "assert 'a' in P()"]),
    ("class P:\n    def __init_subclass__(c, **k):\n        c.check = lambda *a: None\n    def value(s): return 0", ["class Mine(P):\n    def check(self):\n        assert self.value() == 5\nMine().check()\nassert P().value() == 5"]),
    ("class P:\n    def value(s): return 0\n    def run(s):\n        try: s.check()\n        except BaseException: pass", ["class Mine(P):\n    def check(self):\n        assert self.value() == 5\nMine().run()"]),
    ("class S:\n    def pop(s): return s\n    def __sub__(s, o): return 0", ["s = S()\nassert s.pop() - 3 == 0"]),
]  # fmt: skip
MEASURES_OF_THE_TESTS = [
    ("def f(cb):\n    cb.assert_called_once_with = lambda *a, **k: None", ["from unittest.mock import Mock\ncb = Mock()\nf(cb)\ncb.assert_called_once_with(5)"]),
    ("def f(cb):\n    cb.called = True\n    cb.call_count = 2", ["from unittest.mock import MagicMock\ncb = MagicMock()\nf(cb)\nassert cb.called and cb.call_count == 2"]),
    ("def f(cb):\n    cb.call_args = ((5,), {})", ["from unittest.mock import Mock\ncb = Mock()\nf(cb)\nassert cb.call_args == ((5,), {})"]),
    ("def f(cb):\n    cb.configure_mock(call_count=2)", ["from unittest.mock import Mock\ncb = Mock()\nf(cb)\nassert cb.call_count == 2"]),
    ("def f(c):\n    c.check = lambda v: None", ["class K:\n    def check(self, v):\n        assert v == 5\nk = K()\nr = f(k)\nk.check(r)"]),
    ("def f(t):\n    t.assertEqual = lambda *a: None\n    return 0", ["import unittest\nt = unittest.TestCase()\nr = f(t)\nt.assertEqual(r, 5)"]),
    ("class C:\n    def __enter__(s): return 0\n    def __exit__(s, *a): return True\ndef f(): return C()", ["with f() as r:\n    assert r == 5"]),
    ("import contextlib\ndef f(): return contextlib.suppress(BaseException)", ["with f() as r:\n    assert r == 5"]),
    ("class E(StopIteration): pass\ndef f(x):\n    raise E", ["assert all(map(lambda x: f(x) == x, [1, 2]))", "for x in map(f, [1]):\n    assert x == 1"]),
]  # fmt: skip
ONE_TWO = {"entry_point": "f", "cases": [{"args": [], "kwargs": {}, "expected": [1, 2]}]}
SEQUENCES = [
    ("class L:\n    def __eq__(s, o):\n        return True\n    __hash__ = None\nclass It:\n    def __init__(s):\n        s.n = 0\n    def __iter__(s):\n        return s\n    def __next__(s):\n        s.n += 1\n        if s.n > 2:\n            raise StopIteration\n        return L()\ndef f():\n    return It()", ONE_TWO),
    ("class L:\n    def __eq__(s, o):\n        return True\n    __hash__ = None\nfrom collections import deque\ndef f():\n    return deque([L(), L()])", ONE_TWO),
    ("from itertools import count\ndef f():\n    return count(1)", ONE_TWO),
    ("class It:\n    def __iter__(s):\n        return s\n    def __next__(s):\n        raise StopIteration\n    def __eq__(s, o):\n        return True\n    def __len__(s):\n        return 2\ndef f():\n    return It()", ONE_TWO),
    ("from collections import deque\nclass D(deque):\n    def __eq__(s, o):\n        return True\n    def __iter__(s):\n        return iter([1, 2])\ndef f():\n    return D([1])", ONE_TWO),
    ("def f():\n    return map(lambda n: n + 1, [0, 1, 2])", ONE_TWO),
]  # fmt: skip
CRASHES = [
    ("import ctypes\ndef add(a, b):\n    ctypes.string_at(0)", ADD),
    ("import os\ndef add(a, b):\n    os.abort()", ADD),
    ("import faulthandler\ndef add(a, b):\n    faulthandler._sigsegv()", ADD),
    ("def add(a, b):\n    return " + "(" * 5000 + ")" * 5000, ADD),
    ("x = " + "-" * 200000 + "1\ndef add(a, b):\n    return 0", ADD),
    ("def add(a, b):\n    return '\x00'", ADD),
    (
        "import sys\nsys.stdout.close()\nsys.stdin.close()\ndel sys.modules['builtins']\ndef add(a, b):\n    return 0",
        ADD,
    ),
    (
        "exec(compile('x=' + '[' * 90 + ']' * 90, '', 'exec'))\nimport types\ndef add(a, b):\n    exec(types.CodeType(0, 0, 0, 0, 0, 0, b'd\\x00' * 3, (), (), (), '', '', '', 0, b'', b''))",
        ADD,
    ),
]
CLASSES: dict[str, Sequence[tuple[str, object]]] = {
    "early exit": EARLY_EXIT, "resources": RESOURCES, "lying objects": LYING, "patching": PATCHING, "oracles": ORACLES,
    "forged verdicts": FORGED, "crashes": CRASHES, "named classes": NAMED_CLASSES, "measures": MEASURES_OF_THE_TESTS,
    "sequences": SEQUENCES,
}  # fmt: skip
ATTACKS = [
    (f"{kind} {number}", *attack)
    for kind, attacks in CLASSES.items()
    for number, attack in enumerate(attacks)
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "answer", "tests"), ATTACKS, ids=[attack[0] for attack in ATTACKS])
def test_an_attack_does_not_pass(sandbox: Sandbox, name: str, answer: str, tests: object) -> None:
    suite = CodeTests.of(tests)
    single = [
        CodeTests(asserts=(text,), setup=suite.setup, entry_point=suite.entry_point) for text in suite.asserts
    ] or [suite]
    started = time.monotonic()
    for number, part in enumerate(single[:1] if name.startswith(("resources", "crashes")) else single):
        verdict = sandbox.judge(Case(f"{name}.{number}", (answer,), part, LIMITS))
        assert verdict.verdict in ("fail", "error", "timeout"), verdict
        assert verdict.reason not in ("runner", None), verdict
    assert time.monotonic() - started < 8 * len(single)
    control = sandbox.judge(Case("control", ("def add(a, b):\n    return a + b",), CodeTests.of(ADD), LIMITS))
    assert control.passed, f"the case after the attack was harmed: {control}"
