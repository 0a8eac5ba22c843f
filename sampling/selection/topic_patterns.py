"""The signs by which the topic filter knows code and mathematics, in English and Chinese.

Each pattern is one sign. A strong sign decides alone; of weak signs it takes two different ones, since each also
stands in everyday text ("a function of the liver", "the matrix of power"). Text is matched in lower case unless
a pattern stands under CASED.
"""

# Names are not closed by \b: in Chinese text letters stand right beside characters, which count as \w.
LEFT, RIGHT = r"(?<![a-z0-9_])", r"(?![a-z0-9_])"


def _words(*names: str) -> str:
    return LEFT + "(?:" + "|".join(names) + ")" + RIGHT


SURE_NAMES = (
    "javascript", "typescript", r"c\+\+", "c#", r"node\.?js", r"vue\.?js", "jquery", "mysql", "postgres(?:ql)?",
    "sqlite", "mongodb", "redis", "sql", "numpy", "scipy", "matplotlib", "ggplot2?", "sklearn", "scikit-learn",
    "pytorch", "pandas (?:dataframe|series)", "pip install", "tensorflow", "beautifulsoup", "django", "fastapi", "spring boot", "asp\\.net", "kubernetes",
    "dockerfile", "html5?", "css3?", "vba", "powershell", "kotlin", "golang", "php", "haskell", "perl", "fortran",
    "matlab", "prolog", "solidity", "arduino", "pygame", "tkinter", "selenium", "webpack", "graphql", "regex(?:es)?",
    "xpath", "ffmpeg", "nginx", "terraform", "verilog", "vhdl", "opengl", "pthreads?", "dataframes?", "apps script",
    "jupyter", "leetcode", "stdin", "stdout", "argparse", "chmod", "crontab", "git (?:commit|push|rebase|merge|clone)",
)  # fmt: skip

STRONG_CODE = (
    r"```\s*(?:python|java|javascript|js|c|cpp|csharp|cs|sql|html|css|bash|sh|go|rust|ruby|php|typescript|ts|r|json|yaml)\b",
    _words(*SURE_NAMES),
    r"\b(?:regular expressions?|linked lists?|binary (?:search )?trees?|hash ?(?:maps?|tables?)|null pointer|unit tests?)\b",
    r"\b(?:time|space) complexity\b|\bo\((?:1|n|log n|n\^2|n log n)\)",
    r"\b(?:source code|pseudo-?code|code snippet|lines of code|python (?:code|script|snippet|function|program|class))\b",
    r"\b(?:dynamic programming|data structures?|multi-?thread(?:ed|ing)|object[- ]oriented|stack ?overflow(?:error)?)\b",
    r"\b(?:rest(?:ful)? apis?|smart contract|lru cache|pull request|cron ?job|shell script|bash script|segmentation fault)\b",
    r"\barrays? of (?:integers|strings|numbers|ints|objects)\b|\b(?:integer|string|input) array\b",
    r"\b(?:write|create|implement|develop|design|build|code)\b(?: me)? (?:a|an|the|some)(?: [\w#+.-]+){0,3} "
    r"(?:function|algorithm|macro|subroutine|sql query|web ?scraper|chatbot in|compiler for)\b(?! of\b)",
    r"\b(?:write|create|develop|implement|build)\b(?: me)? (?:a|an)(?: [\w#+.-]+){0,2} (?:program|script|app|application|class)\b"
    r" (?:that|which|to|in (?:java|python|c|go|rust|ruby|swift|r|scala)|called|named|using|for a (?:stack|queue|tree))\b",
    r"\b(?:in|using|with) python\b(?! skin)|\bgdscript\b|\b[a-z]+\.js\b|\blatex (?:code|document)\b|\b(?:excel|google sheets|spreadsheet) (?:formula|function|macro)",
    r"\bwrite (?:me )?(?:some |the |a )?code\b|\bcode block\b|\bin an? (?:\w+ )?programming language\b",
    # Syntax.
    r"^\s*(?:def|class) \w+.*:\s*$|\bdef \w+\(",
    r"#include\s*<|\bint main\s*\(|\bstd::|\bprintf\s*\(|\bcout\s*<<",
    r"\bpublic (?:static |final )?(?:class|void|int|string|boolean)\b|\bsystem\.out\.print",
    r"\bfunction\s+\w*\s*\([\w, ]*\)\s*\{|=>\s*\{|\bconsole\.log\b|\b(?:const|let|var) \w+\s*=[^=]",
    r"\bselect\b[^.?!]{1,80}\bfrom\b \w+(?: \w+)?[ ,;]*\b(?:where|join|group by|order by|limit)\b",
    r"</?(?:div|html|body|head|script|span|table|tr|td|ul|li|form|input|button|img)\b[^>]*>",
    r"(?:^|\n)\s*(?:import \w[\w.]*(?: as \w+)?|from [\w.]+ import [\w*, ]+)\s*;?\s*(?=\n|$)",
    r"\bself\.\w+",
    r"\b[a-z_]\w*\.[a-z_]\w*\(",
    r"(?:^|\n)\s*for \w+ in (?:range\(|\w+:)",
    r"\bfor\s*\(\s*(?:int|let|var)\b",
    r"\bprint\s*\(|\breturn \w+[;(]|===|(?<![<>=!])==(?!=)|&&|\|\||\w\+\+;",
    r"\b(?:npm|pip3?|apt-get|sudo|yarn|brew) (?:install|run|err|update|start)\b|\bawk\b|\bgrep\b",
    r"\b(?:uncaught|traceback|stack trace|compile error|syntax error|runtime error|compilation error)\b",
    # Competitive programming.
    r"\b(?:0-indexed|1-indexed|standard (?:input|output)|sample (?:input|output)|test cases? (?:contains?|consists?))\b|\\texttt\{|\bnums\b",
    r"\byou are given (?:a|an|two) (?:0-indexed |1-indexed |binary )?(?:string|integer|array|integers|strings)\b",
    # Chinese.
    "代码|编程语言|正则表达式|二叉树|链表|空指针|爬虫|数据库|单例模式|快速排序|冒泡排序|时间复杂度|微信小程序的?(?:页面|登录|开发)|"
    "(?:python|java|pandas|git|mysql|linux|docker|react|vue|excel vba)(?=[\u4e00-\u9fff])|[\u4e00-\u9fff](?:python|java|pandas|vue)(?![a-z])",
    "数据结构|面向对象|多线程|整数数组|字符串.{0,6}(?:函数|反转|匹配)|shell脚本|c语言|go语言",
    "(?:编写|写出?|实现|定义|设计|开发|写)(?:一个|一段|个|如下)?[^。，！？\n]{0,16}(?:函数|算法|程序|脚本|接口|类|爬虫)(?!员)(?![型别似比])(?=$|[，。：:；,;（( ]|来|用于|可以|，)",
)

STRONG_CODE_CASED = (
    r"\b\w*[a-z](?:Error|Exception)\b",
    r"\b[a-z]+[A-Z]\w*\(\)",
    r"\bSELECT\b[\s\S]{1,200}\bFROM\b",
    r"\b(?:[Ii]n|[Uu]sing|[Ww]ith|for) (?:Java|Python|Rust|Go|Ruby|Swift|Scala|R|C|Unity|React|Flask|Angular|Vue|Lua|Julia|Dart|Bash|Linux)\b"
    r"(?=[,.?!:;]|$| (?:and|with|using|that|which|to|code|class|program|function|without|for|how)\b)",
    r"\bJava(?:\s|,).{0,40}\b(?:class|method|program|code|interface|Swing|Kotlin)\b|\bReact\b.{0,30}\b(?:component|hook|app|state)s?\b",
)

WEAK_CODE = (
    _words("python", "java", "rust", "ruby", "swift", "scala", "lua", "julia", "dart"),
    _words("react", "flask", "angular", "vue", "spring", "unity", "laravel", "rails"),
    _words("git", "github", "docker", "linux", "ubuntu", "excel", "aws", "api", "apis", "xml", "yaml"),
    r"\b(?:functions?|subroutines?|decorators?)\b(?! of\b)",
    r"\bcode\b|\bcoding\b",
    r"\bprogram(?:s|ming)?\b(?! of\b)",
    r"\balgorithms?\b",
    r"\bscripts?\b",
    r"\b(?:class|subclass)(?:es)?\b(?! of\b)",
    r"\b(?:arrays?|pointers?|dicts?|tuples?|null|booleans?)\b",
    r"(?<!json )(?<!csv )\bstrings?\b",
    r"\b(?:variables?|parameters?|arguments)\b",
    r"\b(?:recursion|recursive|recursively|iterat(?:e|es|ing|or)|loops?)\b",
    r"\b(?:debug|debugging|bug|compiles?|compiler|runtime|refactor|stack trace)\b",
    r"\b(?:query|queries|database|schema|server|backend|frontend|endpoint|localhost)\b",
    r"\b(?:component|widget|dropdown|keyboard navigation|button|web ?page)\b",
    r"\b(?:implement|implements|implementation|override)\b",
    r"\b(?:commits?|branch|rebase|merge conflicts?)\b",
    r"\b(?:threads?|mutex|race condition|deadlock|deployment|container|pod|replicas?)\b",
    r"\b(?:assembly|x86|bytes?|bitwise)\b",
    "编程|程序(?!员)",
    "算法|脚本|函数|变量|循环|递归|数组|字符串",
    "报错|调试|部署|缓存|接口|索引",
    "组件|前端|后端|服务器|撤销|文本编辑器",
)

STRONG_MATH = (
    r"\$[^$\n]*[\\^_=<>+][^$\n]*\$|\$[a-z]\$",
    r"\\(?:frac|sqrt|int|sum|lim|log|begin\{[pbv]?matrix|cdot|times|le|ge|leq|geq|angle|pi|theta|alpha|binom|boxed)\b|\\\([^\n]{1,80}\\\)",
    r"(?<![a-z])\d*[xyzabnk]\s*[-+*/^]\s*\d*[a-z]?\s*(?:=|≤|≥|<|>)\s*-?\d",
    r"(?<![a-z])[a-z]\s*\^\s*\d|(?<![a-z])[a-z][²³]|\bdy/dx\b|√\d",
    r"\b[fgh]\s*\(\s*[a-z0-9]\s*\)\s*=|\by\s*=\s*-?\d*\.?\d*\s*[a-z\\(]",
    r"\d+(?:\.\d+)?\s*(?:×|÷|\*)\s*\d|\d\s*\+\s*\d+\s*(?:=|\+|\?|-)|\b\d+ (?:times|plus|minus|divided by|multiplied by) \d",
    r"\d%\s+of\s+\$?\d",
    r"\b(?:derivatives? of [a-z(]{1,4}\b|integral of|differentiate|antiderivative|eigenvalues?|eigenvectors?|determinant of|polynomials?)\b",
    r"\b(?:quadratic|linear|differential|simultaneous) equations?\b|\bsystems? of equations\b|\bequation of (?:the|a) (?:line|circle|plane)\b",
    r"\b(?:least common multiple|greatest common (?:divisor|factor)|lcm|prime factor\w*|prime numbers?|square root of|cube root)\b",
    r"\b(?:hypotenuse|perimeter|circumference|isosceles|equilateral|parallelogram|right triangle|trapezoid|pythagorean theorem)\b",
    r"\b(?:area|volume|radius|diameter) of (?:a|an|the) (?:triangle|circle|square|rectangle|sphere|cylinder|cone|cube|solid|region)\b",
    r"\bprobability (?:that|of (?:getting|drawing|rolling|picking|choosing|selecting|obtaining))\b",
    r"\b(?:remainder when|divisible by|modulo|congruent|factorial|permutations|binomial|logarithms?|trigonometr\w+)\b",
    r"\b(?:arithmetic|geometric) (?:sequence|series|progression)|\bnext (?:number|term) in the (?:sequence|series|pattern)\b",
    r"\b(?:mean|average|sum|product|difference|ratio|median|standard deviation|variance) of (?:the )?(?:following )?"
    r"(?:numbers|two numbers|\w+ numbers|consecutive|-?\d+(?:\.\d+)?(?:,| and))",
    r"\b(?:taylor|maclaurin|fourier) series\b|\b(?:dot|cross|inner) product\b|\bby (?:mathematical )?induction\b|\bcompleting the square\b|\bchain rule\b",
    r"\b(?:real|rational|irrational|complex|natural|whole) numbers?\b|\b(?:positive|negative|odd|even|consecutive)(?: \w+)? (?:integers?|reals)\b|\bdivisors\b",
    r"\b(?:lowest terms|simplest form|common denominator|in base (?:\d+|two|ten)|compound interest|simple interest|solve for [a-z])\b",
    r"\b(?:simplify|factor|expand|evaluate) the (?:expression|polynomial|fraction|limit|integral|sum)\b|\bas a (?:product of primes|fraction)\b",
    r"\b(?:how many|number of|in how many) (?:different |distinct )?ways\b|\bhow many diagonals\b|\bn-?th term\b",
    r"\bhow many (?:seconds|minutes|hours|inches|feet|yards|meters|centimeters|millimeters|grams|ounces|pints|quarts)\b.{0,20}\bin (?:a|an|one|\d+)\b",
    r"\blet \$?[a-z]\$?(?:, \$?[a-z]\$?)*(?: and \$?[a-z]\$?)? (?:be|denote)\b|\bsuppose (?:that )?\$?[a-z]\$? is (?:a |an )?(?:continuous|differentiable|convergent)",
    r"\btriangle (?:abc|pqr|xyz|def)\b|\b\d+-gon\b|\bsides? (?:of length )?\d+, \d+,? and \d+\b",
    r"\bround(?:ed)?\b.{0,30}\bto the nearest (?:ten|hundred|thousand|million|whole|integer|tenth|hundredth)|\$-?\d[\d.,]*\s*[-+/]\s*\d[\d.,]*\s*\??\$",
    r"\bhow many (?:possible |different |distinct |positive )?\d+-(?:digit|letter)\b|\bwhat is the (?:mean|median|mode|average|range) of (?:these|the (?:following|numbers|data))|\[asy\]",
    # Chinese.
    "方程|求导|导数|不等式|等差数列|等比数列|最小公倍数|最大公约数|公因数|逆矩阵|行列式|鸡兔同笼|平方根|勾股定理|数量积|定积分|不定积分|求极限",
    "实数|有理数|无理数|质数|素数|奇数|偶数|余数是|化成最简|最简分数|内角|等腰|直角三角形|圆的半径|圆的周长|周长和面积",
    "求[^。，！？\n]{0,24}(?:概率|最大值|最小值|的值|面积|周长|体积|之和|整数的和|公倍数|逆矩阵|第\\d+项)|概率是多少",
    r"\d\s*[×÷]\s*\d|\d\s*[+＋]\s*\d+\s*[=＝]|\d+\s*(?:乘以|除以|加上|减去)\s*\d",
)

WEAK_MATH = (
    r"\b(?:solve|compute|calculate|evaluate|simplify|factor|estimate)\b",
    r"\b(?:prove|show) that\b|\bproof\b|\bprove\b",
    r"\b(?:integral|derivative|matrix|matrices|theorem|lemma|corollary)\b",
    r"\bvectors?\b|\beigen\w+",
    r"\b(?:equations?|inequalit(?:y|ies)|variables?|coefficients?)\b",
    r"\b(?:triangle|circle|rectangle|polygon|octagon|hexagon|pentagon|cube|sphere)s?\b",
    r"\b(?:angle|degrees|radius|diameter|diagonals?|vertices)\b",
    r"\b(?:fractions?|decimals?|percent(?:age)?|ratio|digits?)\b",
    r"\b(?:sum|product|difference|quotient) of\b",
    r"\b(?:integers?|primes?)\b",
    r"\bprobability\b",
    r"\b(?:dice|die is|dies are|coin is|marbles|deck of cards)\b",
    r"\b(?:converges?|monotone|bounded|continuous|differentiable|countable|cyclic|isomorphic)\b",
    r"\b(?:mean|median|mode|standard deviation|variance)\b.{0,12}\d",
    r"\b\d+(?:st|nd|rd|th) (?:power|term|root)\b",
    "三角形|长方形|正方形|圆|梯形",
    "面积|周长|体积|半径|厘米",
    "概率|骰子|分数|百分之",
    "函数|向量|矩阵|积分|极限",
    "证明|求(?!职|助|学|生|婚|医|同|和|救|人|知|购|稳)",
    "计算(?!机)",
)

# Numbers as they stand in word problems; years are none.
NUMBER = (
    r"(?<![\w.])\$?(?!(?:19|20)\d\d\b(?!\s*(?:km|miles|\$)))\d+(?:[.,]\d+)*%?|"
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|half|twice|dozen|double|triple)\b"
)
NUMBER_ZH = (
    r"(?<![\d.])(?!(?:19|20)\d\d年)\d+(?:\.\d+)?|[两三四五六七八九十]+(?=[个只条元天小时岁年米倍人本次折])"
)
QUANTITY_QUESTION = (
    r"\bhow (?:many|much|long|far|old|fast|tall|large|big)\b(?! (?:do|does) (?:you|i|it cost to live))|"
    r"\bfind the (?:\w+ ){0,2}(?:average|number|total|sum|value|ratio|distance|difference)\b|\bat what time\b|"
    r"\bwhat(?:'s| is| was| will be| are) (?:the|his|her|its|their|it)(?: \w+){0,2} "
    r"(?:total|average|original|price|cost|number|numbers|speed|distance|profit|percentage|age|length|width|height|worth|area|value|amount)\b"
)
QUANTITY_QUESTION_ZH = (
    "多少(?!人口)|几(?:个|只|天|小时|元|岁|年|人|本|次|页|米|千米|分钟|倍|条|辆|支|块)|现价|原价是"
)
NOT_A_WORD_PROBLEM = (
    r"\b(?:passage|paragraph|article|context|hypothesis|premise|review|tweet|sentence|story|essay|poem|summary|"
    r"itinerary|meal plan|recommend|advice)\b|文章|段落|旅游|推荐|建议|故事|作文"
)
