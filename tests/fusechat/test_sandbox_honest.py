"""Honest answers of many shapes must pass: whatever the two processes do to a program, its user must not notice."""

import pytest

from fusechat.code_blocks import find_code
from fusechat.sandbox import Case, CodeTests, Sandbox

HONEST: dict[str, tuple[str, object]] = {
    "plain function": ("def add(a, b):\n    return a + b", ["assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'"]),
    "several fences": (
        "First:\n```python\nimport math\n```\nThen\n```python\ndef area(r):\n    return math.pi * r ** 2\n```\n",
        ["assert abs(area(1) - 3.14159) < 1e-4"],
    ),
    "the last definition wins": (
        "Naive:\n```python\ndef f(n):\n    return 0\n```\nBetter:\n```python\ndef f(n):\n    return n * 2\n```",
        ["assert f(4) == 8"],
    ),
    "usage block that fails": (
        "```python\ndef f(n):\n    return n + 1\n```\nUse it:\n```python\nprint(f(int(input())))\n```",
        ["assert f(1) == 2"],
    ),
    "usage block that exits": (
        "```python\ndef f(n):\n    return n + 1\n```\nUse it:\n```python\nimport sys\nprint(f(1))\nsys.exit(0)\n```",
        ["assert f(1) == 2"],
    ),
    "shell and output blocks": (
        "```bash\npip install nothing\n```\n```py\ndef f():\n    return [1, 2]\n```\nOutput:\n```\n[1, 2] is printed\n```",
        ["assert f() == [1, 2]"],
    ),
    "tilde fence in a list": (
        "1. Do this:\n\n   ~~~Python3\n   def f(x):\n       return -x\n   ~~~\n",
        ["assert f(2) == -2"],
    ),
    "unclosed fence": ("Sure:\n```python\ndef f(x):\n    return x * 3\n", ["assert f(2) == 6"]),
    "no fence": ("def f(x):\n    return x * 3\n", ["assert f(2) == 6"]),
    "main guard": (
        "```python\ndef f(x):\n    return x * 3\n\nif __name__ == '__main__':\n    print(f(int(input())))\n    exit()\n```",
        ["assert f(2) == 6"],
    ),
    "missing typing imports": (
        "```python\ndef f(xs: List[int], d: Optional[Dict[str, int]] = None) -> Tuple[int, ...]:\n    return tuple(xs)\n```",
        ["assert f([1, 2]) == (1, 2)"],
    ),
    "prelude in the tests": ("def f(x):\n    return x ** 0.5", ["assert math.isclose(f(4), 2.0)"]),
    "import shared with the tests": (
        "import string as letters\ndef f():\n    return 'abc'",
        ["assert f() == letters.ascii_lowercase[:3]"],
    ),
    "LeetCode class": (
        "```python\nclass Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
        "        seen = {}\n        for i, n in enumerate(nums):\n            if target - n in seen:\n"
        "                return [seen[target - n], i]\n            seen[n] = i\n```",
        ["assert Solution().twoSum([2, 7, 11, 15], 9) == [0, 1]", "s = Solution()\nassert s.twoSum([3, 3], 6) == [0, 1]"],
    ),
    "LeetCode class by entry point": (
        "class Solution:\n    def double(self, x):\n        return 2 * x",
        {"entry_point": "double", "asserts": ["assert double(4) == 8", "assert candidate(1) == 2"]},
    ),
    "LeetCode tree from the setup": (
        "class Solution:\n    def depth(self, root: Optional[TreeNode]) -> int:\n"
        "        return 0 if not root else 1 + max(self.depth(root.left), self.depth(root.right))",
        {
            "setup": "class TreeNode:\n    def __init__(self, val=0, left=None, right=None):\n"
            "        self.val, self.left, self.right = val, left, right",
            "asserts": ["assert Solution().depth(TreeNode(1, TreeNode(2), TreeNode(3, None, TreeNode(4)))) == 3"],
        },
    ),
    "linked list of the answer": (
        "class Node:\n    def __init__(self, val, next=None):\n        self.val = val\n        self.next = next\n"
        "def reverse(head):\n    prev = None\n    while head:\n        head.next, prev, head = prev, head, head.next\n    return prev",
        ["a = Node(1, Node(2, Node(3)))\nr = reverse(a)\nassert [r.val, r.next.val, r.next.next.val] == [3, 2, 1]\nassert r.next.next is a"],
    ),
    "in-place sort": ("def f(xs):\n    xs.sort()", ["a = [3, 1, 2]\nf(a)\nassert a == [1, 2, 3]"]),
    "in-place work on nested lists": (
        "def rotate(m):\n    m[:] = [list(r) for r in zip(*m[::-1])]\ndef zero(m):\n    for r in m:\n        r[0] = 0",
        ["m = [[1, 2], [3, 4]]\nrotate(m)\nassert m == [[3, 1], [4, 2]]", "m = [[1], [2]]\nrow = m[0]\nzero(m)\nassert m == [[0], [0]] and row == [0]"],
    ),
    "in-place work then an exception": (
        "def f(xs):\n    xs.append(1)\n    raise ValueError('no')",
        ["a = []\ntry:\n    f(a)\nexcept ValueError as e:\n    assert str(e) == 'no'\nassert a == [1]"],
    ),
    "returns its argument": ("def f(xs):\n    xs.append(1)\n    return xs", ["a = []\nassert f(a) is a and a == [1]"]),
    "append to an attribute": (
        "class Tree:\n    def __init__(self, v):\n        self.v, self.children = v, []\n    def size(self):\n        return 1 + sum(c.size() for c in self.children)",
        ["t = Tree(1)\nt.children.append(Tree(2))\nt.children[0].children.append(Tree(3))\nassert t.size() == 3\nassert len(t.children) == 1"],
    ),
    "dict, set and deque in place": (
        "def f(d, s, q):\n    d['k'] = 1\n    s.discard(2)\n    q.appendleft(0)",
        ["from collections import deque\nd, s, q = {}, {1, 2}, deque([5], maxlen=3)\nf(d, s, q)\nassert d == {'k': 1} and s == {1} and list(q) == [0, 5] and q.maxlen == 3"],
    ),
    "callbacks": (
        "def apply_all(fs, x):\n    for f in fs:\n        x = f(x)\n    return x\ndef sort_by(xs, key):\n    return sorted(xs, key=key)",
        ["assert apply_all([lambda v: v + 1, str, len], 9) == 2", "assert sort_by(['bb', 'a'], key=lambda s: len(s)) == ['a', 'bb']", "assert sort_by([-3, 2], abs) == [2, -3]"],
    ),
    "a callback that collects": ("def each(xs, f):\n    for x in xs:\n        f(x)", ["got = []\neach([1, 2], got.append)\nassert got == [1, 2]"]),
    "a callback that raises": (
        "def retry(f, n):\n    for i in range(n):\n        try:\n            return f()\n        except ValueError:\n            pass\n    raise RuntimeError('gave up')",
        ["calls = []\ndef bad():\n    calls.append(1)\n    if len(calls) < 3:\n        raise ValueError('x')\n    return 7\nassert retry(bad, 5) == 7 and len(calls) == 3"],
    ),
    "decorator": (
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k), f(*a, **k)\n    return inner",
        ["@twice\ndef g(x, y=1):\n    return x + y\nassert g(1, y=2) == (3, 3)\nassert g.__name__ == 'g'"],
    ),
    "closure": ("def counter():\n    n = 0\n    def inc():\n        nonlocal n\n        n += 1\n        return n\n    return inc", ["c = counter()\nassert [c(), c(), c()] == [1, 2, 3]\nassert counter()() == 1"]),
    "curried": ("def add(a):\n    return lambda b: a + b", ["assert add(1)(2) == 3"]),
    "generator": (
        "def gen(n):\n    for i in range(n):\n        yield i * i",
        ["assert list(gen(4)) == [0, 1, 4, 9]", "g = gen(2)\nassert next(g) == 0 and next(g) == 1 and next(g, None) is None", "import types\nassert isinstance(gen(1), types.GeneratorType)", "assert sum(gen(3)) == 5"],
    ),
    "endless generator": ("def nat():\n    n = 0\n    while True:\n        yield n\n        n += 1", ["from itertools import islice\nassert list(islice(nat(), 5)) == [0, 1, 2, 3, 4]"]),
    "generator with send": ("def avg():\n    t = c = 0\n    r = None\n    while True:\n        x = yield r\n        t += x\n        c += 1\n        r = t / c", ["g = avg()\nnext(g)\nassert g.send(10) == 10 and g.send(20) == 15\ng.close()"]),
    "iterator from a test": ("def take(it, n):\n    return [next(it) for _ in range(n)]", ["it = iter([1, 2, 3])\nassert take(it, 2) == [1, 2]\nassert next(it) == 3", "assert take((c for c in 'abc'), 2) == ['a', 'b']"]),
    "map and zip objects": ("def f(xs):\n    return map(str, xs)\ndef g(a, b):\n    return zip(a, b)", ["assert list(f([1, 2])) == ['1', '2']", "assert dict(g('ab', [1, 2])) == {'a': 1, 'b': 2}", "assert [x for x in f([3])] == ['3']"]),
    "dict views": ("def f(d):\n    return d.keys()\ndef g(d):\n    return d.values()\ndef h(d):\n    return d.items()", ["assert set(f({'a': 1})) == {'a'} and list(g({'a': 1})) == [1] and list(h({'a': 1})) == [('a', 1)]", "assert f({'a': 1}) == {'a'}", "assert 'a' in f({'a': 1}) and len(g({'a': 1})) == 1"]),
    "expected built-in exceptions": (
        "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return {}[x]",
        ["try:\n    f(-1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'negative'", "try:\n    f(3)\nexcept KeyError as e:\n    assert e.args == (3,)\nelse:\n    assert False"],
    ),
    "exceptions with pytest": ("def f(x):\n    raise TypeError('must be int')", ["import pytest\nwith pytest.raises(TypeError, match='int'):\n    f(1)"]),
    "exceptions with unittest": ("def f(x):\n    return 1 / x", ["import unittest\nt = unittest.TestCase()\nwith t.assertRaises(ZeroDivisionError):\n    f(0)\nt.assertEqual(f(2), 0.5)"]),
    "exceptions of the answer": (
        "class Insufficient(Exception):\n    def __init__(self, need):\n        super().__init__(f'need {need}')\n        self.need = need\nclass Account:\n    def __init__(self, b):\n        self.balance = b\n    def withdraw(self, n):\n        if n > self.balance:\n            raise Insufficient(n - self.balance)\n        self.balance -= n",
        ["a = Account(5)\ntry:\n    a.withdraw(8)\n    assert False, 'no error'\nexcept Insufficient as e:\n    assert e.need == 3 and str(e) == 'need 3' and isinstance(e, Exception)\na.withdraw(5)\nassert a.balance == 0", "import pytest\nwith pytest.raises(Insufficient):\n    Account(0).withdraw(1)"],
    ),
    "exceptions derived from ValueError": ("class Bad(ValueError):\n    pass\ndef f():\n    raise Bad('x')", ["try:\n    f()\n    assert False\nexcept ValueError:\n    pass", "try:\n    f()\nexcept Bad as e:\n    assert type(e).__name__ == 'Bad'"]),
    "stateful object": ("class Stack:\n    def __init__(self):\n        self.items = []\n    def push(self, x):\n        self.items.append(x)\n    def pop(self):\n        return self.items.pop()\n    def __len__(self):\n        return len(self.items)\n    def is_empty(self):\n        return not self.items", ["s = Stack()\nassert s.is_empty() and not s\ns.push(1)\ns.push('a')\nassert len(s) == 2 and s.pop() == 'a' and s.items == [1]", "try:\n    Stack().pop()\n    assert False\nexcept IndexError:\n    pass"]),
    "honest equality and ordering": (
        "from functools import total_ordering\n@total_ordering\nclass V:\n    def __init__(self, *p):\n        self.p = p\n    def __eq__(self, o):\n        return isinstance(o, V) and self.p == o.p\n    def __lt__(self, o):\n        return self.p < o.p\n    def __hash__(self):\n        return hash(self.p)\n    def __repr__(self):\n        return f'V{self.p}'",
        ["assert V(1, 2) == V(1, 2) and V(1) != V(2)", "assert V(1) < V(2) <= V(2) and max([V(1), V(3)]) == V(3)", "assert sorted([V(2), V(1)])[0] == V(1)", "assert len({V(1), V(1), V(2)}) == 2 and repr(V(1, 2)) == 'V(1, 2)'", "assert V(1) in [V(0), V(1)]"],
    ),
    "dataclass": ("from dataclasses import dataclass\n@dataclass(order=True)\nclass P:\n    x: int\n    y: int = 0\n    def moved(self, dx):\n        return P(self.x + dx, self.y)", ["assert P(1, 2) == P(1, 2) and P(1) < P(2)", "assert P(1).moved(2) == P(3, 0)", "p = P(1)\np.x = 9\nassert p.x == 9 and str(p) == 'P(x=9, y=0)'"]),
    "vector arithmetic": (
        "class Vec:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n    def __add__(self, o):\n        return Vec(self.x + o.x, self.y + o.y)\n    def __mul__(self, k):\n        return Vec(self.x * k, self.y * k)\n    __rmul__ = __mul__\n    def __neg__(self):\n        return Vec(-self.x, -self.y)\n    def __abs__(self):\n        return (self.x ** 2 + self.y ** 2) ** 0.5\n    def __eq__(self, o):\n        return (self.x, self.y) == (o.x, o.y)\n    def __getitem__(self, i):\n        return (self.x, self.y)[i]\n    def __iter__(self):\n        return iter((self.x, self.y))\n    def __bool__(self):\n        return bool(self.x or self.y)",
        ["assert Vec(1, 2) + Vec(3, 4) == Vec(4, 6)", "assert (Vec(1, 2) * 3).x == 3 and (2 * Vec(1, 1)).y == 2 and abs(Vec(3, 4)) == 5.0", "v = Vec(1, 2)\nv += Vec(1, 1)\nassert v == Vec(2, 3) and v[0] == 2 and list(v) == [2, 3] and (-v).x == -2", "x, y = Vec(5, 6)\nassert (x, y) == (5, 6) and not Vec(0, 0)"],
    ),
    "subclass of list": ("class Stack(list):\n    def push(self, x):\n        self.append(x)\n    def peek(self):\n        return self[-1]", ["s = Stack()\ns.push(1)\ns.push(2)\nassert s == [1, 2] and len(s) == 2 and s.peek() == 2 and isinstance(s, list) and s[0] == 1 and 2 in s", "s = Stack([3])\nassert s.pop() == 3 and not s"]),
    "subclass of dict": ("class LRU(dict):\n    def __getitem__(self, k):\n        return super().__getitem__(k.lower())\n    def __setitem__(self, k, v):\n        super().__setitem__(k.lower(), v)\n    def __missing__(self, k):\n        return 0", ["c = LRU()\nc['A'] = 1\nassert c['a'] == 1 and c == {'a': 1} and list(c) == ['a'] and c.get('a') == 1"]),
    "subclass results compare as data": ("from collections import namedtuple\nclass S(str):\n    pass\nclass D(dict):\n    pass\nR = namedtuple('R', 'total mean')\ndef s():\n    return S('ab')\ndef d():\n    return D(a=1)\ndef r(xs):\n    return R(sum(xs), sum(xs) / len(xs))", ["assert s() == 'ab' and s().upper() == 'AB' and s() + 'c' == 'abc' and len(s()) == 2", "assert d() == {'a': 1} and d()['a'] == 1", "assert r([1, 3]) == (4, 2.0) and r([2]).mean == 2 and r([2])[0] == 2\nt, m = r([1])\nassert t == 1"]),
    "enum": ("from enum import Enum, IntEnum\nclass Color(Enum):\n    RED = 1\n    GREEN = 2\n    def other(self):\n        return Color.GREEN if self is Color.RED else Color.RED\nclass L(IntEnum):\n    LOW = 1\ndef next_color(c):\n    return c.other()", ["assert Color.RED.value == 1 and Color.RED is Color.RED and Color.RED != Color.GREEN", "assert next_color(Color.RED) is Color.GREEN and Color(2) == Color.GREEN and Color['RED'].name == 'RED'", "assert [c.name for c in Color] == ['RED', 'GREEN'] and len(Color) == 2", "assert L.LOW == 1 and L.LOW < 2", "assert {Color.RED: 5}[Color.RED] == 5"]),
    "inheritance and abc": (
        "from abc import ABC, abstractmethod\nclass Shape(ABC):\n    @abstractmethod\n    def area(self): ...\n    @classmethod\n    def unit(cls):\n        return cls(1)\n    @staticmethod\n    def name():\n        return 'shape'\nclass Square(Shape):\n    sides = 4\n    def __init__(self, a):\n        self._a = a\n    def area(self):\n        return self._a ** 2\n    @property\n    def a(self):\n        return self._a\n    @a.setter\n    def a(self, v):\n        if v < 0:\n            raise ValueError('negative')\n        self._a = v",
        ["s = Square(3)\nassert isinstance(s, Shape) and issubclass(Square, Shape) and s.area() == 9 and Square.sides == 4", "assert Square.unit().area() == 1 and Shape.name() == 'shape'", "try:\n    Shape()\n    assert False\nexcept TypeError:\n    pass", "s = Square(1)\ns.a = 5\nassert s.a == 5 and s.area() == 25\ntry:\n    s.a = -1\n    assert False\nexcept ValueError:\n    pass", "assert hasattr(s, 'area') and not hasattr(s, 'perimeter') and type(s).__name__ == 'Square' and callable(s.area)"],
    ),
    "context manager": ("class Timer:\n    def __init__(self):\n        self.log = []\n    def __enter__(self):\n        self.log.append('in')\n        return self\n    def __exit__(self, t, v, tb):\n        self.log.append('out')\n        return t is ValueError", ["with Timer() as t:\n    assert t.log == ['in']\nassert t.log == ['in', 'out']", "with Timer() as t:\n    raise ValueError('swallowed')\nassert t.log[-1] == 'out'"]),
    "contextlib manager": ("from contextlib import contextmanager\nlog = []\n@contextmanager\ndef tag(n):\n    log.append(n)\n    yield n.upper()\n    log.append('/' + n)", ["with tag('a') as x:\n    assert x == 'A'\nassert log == ['a', '/a']"]),
    "number tower": ("from fractions import Fraction\nfrom decimal import Decimal\ndef f():\n    return Fraction(1, 3)\ndef g(x):\n    return Decimal(x) / 3\ndef h():\n    return 3 + 4j\ndef big(n):\n    return 2 ** n\ndef nan():\n    return float('nan')", ["from fractions import Fraction\nassert f() == Fraction(1, 3) and f() * 3 == 1", "from decimal import Decimal\nassert g('1.5') == Decimal('0.5')", "assert h() == 3 + 4j and abs(h()) == 5", "assert big(5000) == 2 ** 5000 and big(-1) == 0.5", "assert nan() != nan() and math.isnan(nan())", "assert isinstance(big(2), int) and type(h()) is complex"]),
    "other plain types": ("import datetime, array, uuid\ndef f():\n    return b'x', bytearray(b'y'), range(3), {1, 2}, frozenset({3}), None, ..., datetime.date(2020, 2, 29), slice\ndef g(d):\n    return d + datetime.timedelta(days=1)\ndef c(w):\n    from collections import Counter, OrderedDict, defaultdict\n    d = defaultdict(list)\n    d['a'].append(1)\n    return Counter(w), OrderedDict(a=1), d", ["import datetime\nassert f()[:8] == (b'x', bytearray(b'y'), range(3), {1, 2}, frozenset({3}), None, ..., datetime.date(2020, 2, 29))", "import datetime\nassert g(datetime.datetime(2020, 1, 1)) == datetime.datetime(2020, 1, 2)", "a, b, d = c('aab')\nassert a == {'a': 2, 'b': 1} and a.most_common(1) == [('a', 2)] and b == {'a': 1} and d == {'a': [1]} and d['z'] == []"]),
    "deep recursion": ("import sys\nsys.setrecursionlimit(20000)\ndef depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)", ["assert depth(9000) == 9000"]),
    "recursion error expected": ("def f(n):\n    return f(n + 1)", ["try:\n    f(0)\n    assert False\nexcept RecursionError:\n    pass"]),
    "temporary files": ("import tempfile, os\ndef f(text):\n    with tempfile.TemporaryDirectory() as d:\n        p = os.path.join(d, 'x.txt')\n        with open(p, 'w') as h:\n            h.write(text)\n        with open(p) as h:\n            return h.read()", ["assert f('héllo') == 'héllo'"]),
    "files in the working directory": ("def save(p, t):\n    with open(p, 'w') as h:\n        h.write(t)\ndef load(p):\n    return open(p).read()", ["save('a.txt', 'x')\nassert load('a.txt') == 'x'", "import os, tempfile\nwith tempfile.NamedTemporaryFile('w', suffix='.txt', delete=False) as h:\n    h.write('from the test')\nassert load(h.name) == 'from the test'"]),
    "threads": ("import threading\nfrom concurrent.futures import ThreadPoolExecutor\ndef f(xs):\n    with ThreadPoolExecutor(4) as p:\n        return list(p.map(lambda x: x * x, xs))\ndef g(n):\n    out, lock = [], threading.Lock()\n    def work(i):\n        with lock:\n            out.append(i)\n    ts = [threading.Thread(target=work, args=(i,)) for i in range(n)]\n    [t.start() for t in ts]\n    [t.join() for t in ts]\n    return sorted(out)", ["assert f(range(5)) == [0, 1, 4, 9, 16]", "assert g(10) == list(range(10))"]),
    "threads with callbacks": ("from concurrent.futures import ThreadPoolExecutor\ndef pmap(f, xs):\n    with ThreadPoolExecutor(4) as p:\n        return list(p.map(f, xs))", ["assert pmap(lambda x: x + 1, list(range(20))) == list(range(1, 21))"]),
    "threads of the tests": ("import threading\nclass Counter2:\n    def __init__(self):\n        self.n, self.lock = 0, threading.Lock()\n    def inc(self):\n        with self.lock:\n            self.n += 1", ["import threading\nc = Counter2()\nts = [threading.Thread(target=lambda: [c.inc() for _ in range(20)]) for _ in range(4)]\n[t.start() for t in ts]\n[t.join() for t in ts]\nassert c.n == 80"]),
    "asyncio": ("import asyncio\nasync def double(x):\n    await asyncio.sleep(0.001)\n    return 2 * x\nasync def gather(xs):\n    return await asyncio.gather(*(double(x) for x in xs))\ndef main(xs):\n    return asyncio.run(gather(xs))", ["import asyncio\nassert asyncio.run(double(4)) == 8", "assert main([1, 2]) == [2, 4]", "import asyncio\nasync def t():\n    assert await double(1) == 2\n    assert await asyncio.gather(double(1), double(2)) == [2, 4]\nasyncio.run(t())"]),
    "async objects": ("import asyncio\nclass Res:\n    async def __aenter__(self):\n        return self\n    async def __aexit__(self, *a):\n        return False\n    async def get(self):\n        return 5\nasync def agen(n):\n    for i in range(n):\n        yield i", ["import asyncio\nasync def t():\n    async with Res() as r:\n        assert await r.get() == 5\n    assert [x async for x in agen(3)] == [0, 1, 2]\nasyncio.run(t())"]),
    "noise on stdout": ("import sys\nprint('loading' * 1000)\ndef f(x):\n    for i in range(3000):\n        print('debug', i, x)\n    sys.stderr.write('warn' * 100)\n    return x", ["assert f(1) == 1"]),
    "large noise on stdout": ("def f(x):\n    for i in range(200000):\n        print('debug line', i)\n    return x", ["assert f(1) == 1"]),
    "CRLF and BOM": ("\ufeff```python\r\ndef f(s):\r\n    return s.split()\r\n```\r\n", ["assert f('a b') == ['a', 'b']"]),
    "non-ASCII names": ("def größe(x):\n    π = 3\n    return x * π\n变量 = '值'", ["assert größe(2) == 6 and 变量 == '值'"]),
    "lone surrogates and NUL in strings": ("def f(x):\n    return x + '\\x00\\ud800'", ["assert f('a') == 'a\\x00\\ud800'"]),
    "large result": ("def f(n):\n    return list(range(n))", ["assert f(100000) == list(range(100000))"]),
    "large argument": ("def f(xs):\n    return sum(xs)", ["assert f(list(range(200000))) == 19999900000"]),
    "nested result": ("def f(n):\n    return [] if n == 0 else [f(n - 1)]", ["x = f(40)\nd = 0\nwhile x:\n    x = x[0]\n    d += 1\nassert d == 40"]),
    "shared and cyclic structures": ("def f():\n    a = [1]\n    a.append(a)\n    return a\ndef g():\n    r = [0]\n    return [r, r]", ["x = f()\nassert x[1] is x", "m = g()\nm[0][0] = 5\nassert m == [[5], [5]]"]),
    "default arguments and keywords": ("def f(a, /, b=2, *rest, c, **more):\n    return a, b, rest, c, more", ["assert f(1, c=3) == (1, 2, (), 3, {})", "assert f(1, 5, 6, c=3, self=4, target=7) == (1, 5, (6,), 3, {'self': 4, 'target': 7})", "try:\n    f(b=1)\n    assert False\nexcept TypeError:\n    pass"]),
    "lru_cache": ("from functools import lru_cache\n@lru_cache(None)\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)", ["assert fib(80) == 23416728348467685", "assert fib.cache_info().misses == 81\nfib.cache_clear()\nassert fib.cache_info().currsize == 0", "assert fib.__name__ == 'fib'"]),
    "function attributes": ("def f():\n    'Say hi.'\n    f.calls += 1\n    return f.calls\nf.calls = 0", ["assert f() == 1 and f() == 2 and f.calls == 2", "assert f.__doc__ == 'Say hi.'"]),
    "module globals": ("LIMIT = 10\nTABLE = {'a': 1}\ndef over(x):\n    return x > LIMIT", ["assert over(11) and not over(LIMIT) and TABLE == {'a': 1}"]),
    "random with a seed": ("import random\ndef f():\n    random.seed(1)\n    return [random.randint(0, 9) for _ in range(3)]", ["import random\nrandom.seed(1)\nassert f() == [random.randint(0, 9) for _ in range(3)]"]),
    "sorted by class key": ("class Task:\n    def __init__(self, p, n):\n        self.p, self.n = p, n\n    def __lt__(self, o):\n        return self.p < o.p\nimport heapq\ndef order(ts):\n    h = list(ts)\n    heapq.heapify(h)\n    return [heapq.heappop(h).n for _ in range(len(h))]", ["assert order([Task(2, 'b'), Task(1, 'a')]) == ['a', 'b']"]),
    "custom iterator": ("class Count:\n    def __init__(self, n):\n        self.n = n\n    def __iter__(self):\n        self.i = 0\n        return self\n    def __next__(self):\n        if self.i >= self.n:\n            raise StopIteration\n        self.i += 1\n        return self.i", ["assert list(Count(3)) == [1, 2, 3] and sum(x for x in Count(4)) == 10 and max(Count(2)) == 2", "it = iter(Count(1))\nassert next(it) == 1\ntry:\n    next(it)\n    assert False\nexcept StopIteration:\n    pass"]),
    "indexing class": ("class M:\n    def __init__(self):\n        self.d = {}\n    def __setitem__(self, k, v):\n        self.d[k] = v\n    def __getitem__(self, k):\n        return self.d[k]\n    def __delitem__(self, k):\n        del self.d[k]\n    def __contains__(self, k):\n        return k in self.d\n    def __call__(self, x):\n        return x + 1", ["m = M()\nm[1, 2] = 'x'\nassert m[1, 2] == 'x' and (1, 2) in m and 5 not in m and m(1) == 2\ndel m[1, 2]\nassert (1, 2) not in m\ntry:\n    m[0]\n    assert False\nexcept KeyError:\n    pass"]),
    "copies": ("class N:\n    def __init__(self, v):\n        self.v = v\n        self.kids = []", ["import copy\na = N([1])\nb, c = copy.copy(a), copy.deepcopy(a)\nc.v.append(2)\nassert a.v == [1] and c.v == [1, 2] and b is not a\na.v = 5\nassert b.v == [1]"]),
    "assertion helpers of the tests": ("def f(x):\n    return [x, x + 0.1]", {"setup": "def close(a, b):\n    return all(abs(x - y) < 1e-9 for x, y in zip(a, b))", "asserts": ["assert close(f(1), [1, 1.1])"]}),
    "check(candidate)": ("def f(x):\n    return x + 1", {"entry_point": "f", "asserts": ["def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(-1) == 0\n"]}),
    "test functions": ("def f(x):\n    return x + 1", ["def test_one():\n    assert f(1) == 2\n\ndef test_two():\n    assert f(2) == 3\n"]),
    "cases": ("def f(a, b=0):\n    return (a, b)\n", {"entry_point": "f", "cases": [{"args": [1], "kwargs": {"b": 2}, "expected": [1, 2]}, {"args": [[1]], "kwargs": {}, "expected": [[1], 0]}]}),
    "cases with floats and keys": ("def f(x):\n    return {1: x + 0.1, 'n': None}\n", {"entry_point": "f", "cases": [{"args": [0.2], "kwargs": {}, "expected": {"1": 0.3, "n": None}}]}),
    "cases on a class": ("class Solution:\n    def f(self, x):\n        return x * 2\n", {"entry_point": "Solution.f", "cases": [{"args": [4], "kwargs": {}, "expected": 8}]}),
    "stdin program": ("```python\nn = int(input())\nprint(sum(map(int, input().split())) + n)\n```", {"stdin_stdout": [{"stdin": "1\n2 3\n", "stdout": "6\n"}, {"stdin": "0\n5", "stdout": "5"}]}),
    "stdin program with main guard and exit": ("import sys\ndef main():\n    data = sys.stdin.read().split()\n    sys.stdout.write(' '.join(data[::-1]) + ' \\n\\n')\nif __name__ == '__main__':\n    main()\n    sys.exit(0)", {"stdin_stdout": [{"stdin": "a b c", "stdout": "c b a"}]}),
    "stdin program with numbers": ("print(float(input()) / 2)\nprint('x  y')", {"stdin_stdout": [{"stdin": "3", "stdout": "1.50\nx  y"}]}),
    "stdin program with buffer": ("import sys, os\ndata = sys.stdin.buffer.readline()\nos.write(1, b'ok ' + data)", {"stdin_stdout": [{"stdin": "é\n", "stdout": "ok é\n"}]}),
    "stdin program that opens its streams by name": ("from pathlib import Path\na = open('/dev/stdin').read()\nwith open('/dev/stdout', 'w') as out:\n    print(sum(map(int, a.split())), file=out)\nprint('warning', file=open('/dev/stderr', 'w'))", {"stdin_stdout": [{"stdin": "1 2\n", "stdout": "3\n"}]}),
    "program that ends by os._exit": ("import os, sys\nprint('done')\nsys.stdout.flush()\nos._exit(0)", {"stdin_stdout": [{"stdin": "", "stdout": "done"}]}),
    "sleeps a little": ("import time\ndef f():\n    time.sleep(0.3)\n    return 1", ["assert f() == 1"]),
    "subprocess of its own": ("import multiprocessing\ndef sq(x):\n    return x * x\ndef f(xs):\n    with multiprocessing.get_context('fork').Pool(2) as p:\n        return p.map(sq, xs)", ["assert f([1, 2, 3]) == [1, 4, 9]"]),
    "numpy scalars": ("import numpy as np\ndef mean(xs):\n    return np.mean(xs)\ndef total(xs):\n    return np.array(xs).sum()\ndef as_list(xs):\n    return np.cumsum(xs).tolist()", ["assert mean([1, 2]) == 1.5 and total([1, 2]) == 3 and as_list([1, 1]) == [1, 2]"]),
    "regular expressions": ("import re\ndef f(s):\n    return re.match(r'(\\w+)@(\\w+)', s)", ["m = f('a@b')\nassert m and m.group(1) == 'a' and m.groups() == ('a', 'b')\nassert f('x') is None"]),
    "operators and partials from the tests": ("from functools import reduce\ndef fold(f, xs, init):\n    return reduce(f, xs, init)", ["import operator\nassert fold(operator.add, [1, 2], 0) == 3", "from functools import partial\nassert fold(partial(max), [1, 5], 0) == 5"]),
    "type as argument": ("def only(xs, kind):\n    return [x for x in xs if isinstance(x, kind)]", ["assert only([1, 'a', 2.0], str) == ['a'] and only([1, 'a'], (int, float)) == [1]"]),
    "string io from the tests": ("def count(handle):\n    return sum(1 for _ in handle)\ndef head(handle):\n    return handle.readline()", ["import io\nassert count(io.StringIO('a\\nb\\n')) == 2 and head(io.StringIO('x\\ny')) == 'x\\n'"]),
    "mock from the tests": ("def notify(sender, names):\n    for n in names:\n        sender.send(n)\n    return sender.total()", ["from unittest.mock import Mock\nm = Mock()\nm.total.return_value = 2\nassert notify(m, ['a', 'b']) == 2\nassert m.send.call_count == 2\nm.send.assert_called_with('b')"]),
    "objects of a test class": ("def oldest(people):\n    return max(people, key=lambda p: p.age)\ndef birthday(p):\n    p.age += 1", ["class Person:\n    def __init__(self, n, a):\n        self.name, self.age = n, a\na, b = Person('a', 1), Person('b', 2)\nassert oldest([a, b]) is b\nbirthday(a)\nassert a.age == 2"]),
    "namedtuple of the tests": ("def norm(p):\n    return p.x + p[1]", ["from collections import namedtuple\nP = namedtuple('P', 'x y')\nassert norm(P(1, 2)) == 3"]),
    "unhashable error": ("def f(xs):\n    return set(xs)", ["try:\n    f([[1]])\n    assert False\nexcept TypeError:\n    pass"]),
    "answer helper named like a prelude function": ("def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a", ["assert gcd(12, 18) == 6"]),
    "a class minus a number": ("class T:\n    def __init__(s, v): s.v = v\n    def __sub__(s, o): return s.v - (o.v if isinstance(o, T) else o)\n    def __rsub__(s, o): return o - s.v\n    def __add__(s, o): return T(s.v + o)", ["assert T(30) - 10 == 20 and T(30.5) - 0.5 == 30.0 and 50 - T(20) == 30", "assert T(3) - T(1) == 2 and abs(T(2.0) - 1.5) - 0.5 < 1e-9 and T(0) - 0 == 0 and T(10 ** 30) - 10 ** 29 == 9 * 10 ** 29 and T(-5) - -3 == -2", "assert (T(1) + 2) - 1 == 2"]),
    "a class minus a number that is checked": ("class Money:\n    def __init__(s, v):\n        if v < 0: raise ValueError('negative')\n        s.v = v\n    def __sub__(s, o): return Money(s.v - o)\n    def __eq__(s, o): return s.v == o.v\n    def __float__(s): return float(s.v)", ["assert Money(5) - 3 == Money(2) and float(Money(5) - 3) == 2.0", "try:\n    Money(1) - 5\n    assert False\nexcept ValueError:\n    pass"]),
    "containers of many kinds": ("class S:\n    def __init__(s, *a): s.a = set(a)\n    def __contains__(s, x): return x in s.a\n    def __or__(s, o): return S(*(s.a | o.a))\nclass Interval:\n    def __init__(s, lo, hi): s.lo, s.hi = lo, hi\n    def __contains__(s, x): return s.lo <= x <= s.hi\nclass Primes:\n    def __contains__(s, n): return n > 1 and all(n % i for i in range(2, int(n ** .5) + 1))", ["assert 3 in S(3) and 4 not in S(3) and 3 in (S(1) | S(3))", "assert 5 in Interval(1, 10) and 11 not in Interval(1, 10) and 0.5 in Interval(0, 1)", "assert 7 in Primes() and 8 not in Primes() and 'x' in S('x')"]),
    "pandas tables": ("import pandas as pd\ndef mk():\n    return pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}, index=[5, 7])\ndef total(df):\n    return df['a'].sum()\ndef col():\n    return pd.Series([1.5, None], name='s')", ["import pandas as pd\npd.testing.assert_frame_equal(mk(), pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}, index=[5, 7]))", "import pandas as pd\nassert mk().equals(pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}, index=[5, 7])) and isinstance(mk(), pd.DataFrame)", "import pandas as pd\npd.testing.assert_series_equal(col(), pd.Series([1.5, None], name='s'))", "assert (mk()['a'] > 0).all() and mk().shape == (2, 2) and list(mk().columns) == ['a', 'b']", "import pandas as pd\nassert total(pd.DataFrame({'a': [1, 2]})) == 3"]),
    "generic class with its parameter": ("from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Box(Generic[T]):\n    def __init__(self, v: T): self.v = v", ["assert Box[int](4).v == 4"]),
    "a context manager that tidies up after an exception": ("from contextlib import contextmanager\nlog = []\n@contextmanager\ndef tag(n):\n    log.append(n)\n    try:\n        yield n\n    finally:\n        log.append('/' + n)", ["try:\n    with tag('b'):\n        raise ValueError\nexcept ValueError:\n    pass\nassert log == ['b', '/b']"]),
    "a context manager that swallows": ("class Ignore:\n    def __init__(self, *kinds): self.kinds = kinds\n    def __enter__(self): return self\n    def __exit__(self, kind, value, trace): return kind is not None and issubclass(kind, self.kinds)", ["with Ignore(ZeroDivisionError):\n    1 / 0", "try:\n    with Ignore(KeyError):\n        1 / 0\n    assert False\nexcept ZeroDivisionError:\n    pass"]),
    "a class of the tests that derives from the answer's": ("from abc import ABC, abstractmethod\nclass Animal(ABC):\n    def __init__(self, name): self.name = name\n    @abstractmethod\n    def say(self): ...\n    def twice(self): return self.say() * 2\nclass Plugin:\n    made = 0\n    def __init__(self, n=0): self.n = n\n    def go(self): return 'go'\n    def run(self): return self.go()", ["class Cat(Animal):\n    def say(self):\n        return 'Meow'\nassert Cat('c').say() == 'Meow' and Cat('c').name == 'c' and Cat('x').twice() == 'MeowMeow' and isinstance(Cat('c'), Animal)", "class Mute(Animal):\n    pass\ntry:\n    Mute('x')\n    assert False\nexcept TypeError:\n    pass", "class Mine(Plugin):\n    made = 7\n    def __init__(self):\n        super().__init__(5)\n    def go(self):\n        return super().go() + '!'\n    @property\n    def twice(self):\n        return self.n * 2\n    @staticmethod\n    def word():\n        return 'w'\nassert Mine().n == 5 and Mine().run() == 'go!' and Mine().twice == 10 and Mine.word() == 'w' and Mine.made == 7 and Plugin.made == 0"]),
    "a global that is None": ("START = None\ncache = None", ["assert START is None and cache is None"]),
    "fixtures of the tests": ("class Calc:\n    def add(self, a, b): return a + b", ["import pytest\nlog = []\n@pytest.fixture\ndef base():\n    return 1\n@pytest.fixture\ndef calc(base):\n    log.append('open')\n    yield Calc()\n    log.append('close')\n@pytest.mark.parametrize('a, b, r', [(1, 2, 3), (0, 0, 0)])\ndef test_add(calc, a, b, r, base):\n    assert calc.add(a, b) == r and base == 1\ndef test_log():\n    assert log == ['open', 'close'] * 2"]),
    "a deque against a list": ("from collections import deque\ndef f(x):\n    return deque(x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [3, 1, 2]}]}),
    "a range against a list": ("def f(x):\n    return range(3)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [0, 1, 2]}]}),
    "a map against a list": ("def f(x):\n    return map(str, x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": ["3", "1", "2"]}]}),
    "a filter against a list": ("def f(x):\n    return filter(lambda n: n > 1, x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [3, 2]}]}),
    "a zip against a list": ("def f(x):\n    return zip(x, x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [[3, 3], [1, 1], [2, 2]]}]}),
    "reversed against a list": ("def f(x):\n    return reversed(x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [2, 1, 3]}]}),
    "the keys of a dictionary against a list": ("def f(x):\n    return dict.fromkeys(x).keys()", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [3, 1, 2]}]}),
    "an iterator of the answer's own against a list": ("class It:\n    def __init__(self, x):\n        self.x = list(x)\n    def __iter__(self):\n        return self\n    def __next__(self):\n        if not self.x:\n            raise StopIteration\n        return self.x.pop(0)\ndef f(x):\n    return It(x)", {"entry_point": "f", "cases": [{"args": [[3, 1, 2]], "kwargs": {}, "expected": [3, 1, 2]}]}),
    "a named tuple against a list": ("from collections import namedtuple\ndef f(x):\n    return namedtuple('N', 'a b')(x, 2)", {"entry_point": "f", "cases": [{"args": [1], "kwargs": {}, "expected": [1, 2]}]}),
    "attributes set on a mock": ("def setup(o):\n    o.name = 'n'\n    return o", ["from unittest.mock import Mock\no = Mock()\nassert setup(o).name == 'n'", "class O:\n    def check(self): assert self.name\nsetup(O()).check()"]),
    "answer named like a built-in": ("def sum(xs):\n    t = 0\n    for x in xs:\n        t += x\n    return t", {"entry_point": "sum", "asserts": ["assert sum([1, 2]) == 3"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_answer_passes(sandbox: Sandbox, name: str) -> None:
    if sandbox.level == "B" and name == "subprocess of its own":
        pytest.skip("multiprocessing's locks need /dev/shm, which is everybody's without a mount namespace")
    answer, tests = HONEST[name]
    found = find_code(answer)
    verdict = sandbox.judge(Case(name, found.blocks, CodeTests.of(tests), whole_text=found.whole_text))
    assert (verdict.verdict, verdict.first_failure) == ("pass", None)
    assert verdict.passed_tests == verdict.total_tests
