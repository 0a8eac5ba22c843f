"""The signs by which the topic filter knows code and mathematics, in English and Chinese.

Each pattern is one sign. A strong sign decides alone; of weak signs it takes two different ones, since each also
stands in everyday text ("a function of the liver", "the matrix of power"). Text is matched in lower case unless
a pattern stands under CASED.
"""

# Names are not closed by \b: in Chinese text letters stand right beside characters, which count as \w.
LEFT, RIGHT = r"(?<![a-z0-9_])", r"(?![a-z0-9_])"


def _words(*names: str) -> str:
    return LEFT + "(?:" + "|".join(names) + ")" + RIGHT


# In groups: a group of more than a hundred would be tried on every text (see required_text).
SURE_NAMES = (
    (
        "javascript", "typescript", r"c\+\+", "c#", r"node\.?js", r"vue\.?js", "jquery", "mysql", "postgres(?:ql)?",
        "sqlite", "mongodb", "redis", "sql", "numpy", "scipy", "matplotlib", "ggplot2?", "sklearn", "scikit-learn",
        "pytorch", "pandas (?:dataframe|series)", "pip install", "tensorflow", "beautifulsoup", "django", "fastapi", "spring boot", "asp\\.net", "kubernetes",
        "dockerfile", "html5?", "css3?", "vba", "powershell", "kotlin", "golang", "php", "haskell", "perl", "fortran",
        "matlab", "prolog", "solidity", "arduino", "pygame", "tkinter", "selenium", "webpack", "graphql", "regex(?:es)?",
        "xpath", "ffmpeg", "nginx", "terraform", "verilog", "vhdl", "opengl", "pthreads?", "dataframes?", "apps script",
    ),
    (
        "jvm", "jq", "jsx", "tsx", "bash", "zsh", "cmake", "makefile", "gradle", "pyspark", "kafka", "rabbitmq", "elasticsearch",
        "nosql", "dynamodb", "firebase", "redux", "svelte", "swiftui", "android studio", "opencv", "pytest", "junit", "mutex",
        "goroutines?", "segfault", "websockets?", "webhooks?", "jwt", "oauth2?", "tcp", "udp", "navbar", "flexbox", "css grid",
        "tailwind(?: ?css)?", "chatgpt api", "openai api", "github actions?", "gitlab ci(?:/cd)?", "ci/cd pipelines?", "chrome extension", "discord bot",
        "telegram bot", "visual studio", "vs ?code", "intellij", "stack overflow", "hello,? world", "git", "localstorage", "stdlib",
        "jupyter", "leetcode", "stdin", "stdout", "argparse", "chmod", "crontab", "git (?:commit|push|rebase|merge|clone)",
    ),
)  # fmt: skip

# Terms of the trade that hardly stand in other texts.
CODE_TERMS = (
    (
        "abstract class(?:es)?", "stored procedures?", "virtual environments?", "virtualenv", "command[- ]line (?:tool|argument|interface|option|app)s?",
        "substrings?", "palindromic", "big[- ]o notation", "web (?:development|app|apps|application|server|framework)s?", "software architecture", "microservices?", "load balancer", "binary search", "(?:sorting|greedy|search|graph|recursive) algorithms?", "depth-first", "breadth-first",
        "shortest path", "dijkstra(?:'s)?", "backtracking", "polymorphism", "encapsulation in \\w+", "constructors?", "destructors?", "getters?", "setters?",
        "namespaces?", "middleware", "(?:de)?seriali[sz](?:e|es|ed|er|ing|ation)", "bytecode", "enums?", "structs?", "char array", "groupby", "seaborn", "plotly",
        "keras", "hugging ?face", "xgboost", "subnet", "url shortener", "chatbot (?:in|using|with)", "linter", "typecast(?:ing)?",
        "hash (?:function|set|code)s?", "hashing", "bit manipulation", "two pointers", "sliding window", "queue using", "stack using", "linked[- ]list", "directed graph",
        "adjacency (?:list|matrix)", "topological sort", "min[- ]heap", "max[- ]heap", "priority queue", "merge ?sort", "quick ?sort", "bubble ?sort", "insertion sort",
        "fizz ?buzz", "n-queens", "knapsack problem", "sudoku solver", "tic-tac-toe game", "calculator app", "to-?do (?:list )?app(?:lication)?", "snake game",
    "lru", "mvc pattern", "https?(?! ?:)", "trie",
    ),
    (
        "login (?:form|page|system)", "registration form", "user authentication", "api (?:key|call|endpoint|request)s?",
        "pull requests?", "code base", "codebase", "open[- ]source library", "yarn install", "gem install", "requirements\\.txt", "package\\.json",
        "deep learning model", "convolutional (?:neural )?networks?", "train a (?:\\w+ ){0,2}(?:model|classifier|network)", "gradient descent", "random forest",
        "drop (?:rows|columns|duplicates)", "inner join", "left join", "data ?frame",
        "environment variables?", "config(?:uration)? file", "log files?", "text editor in", "file extension", "unix", "ubuntu", "debian", "windows registry",
        "breakpoint", "unit test", "integration tests?", "test[- ]driven", "continuous integration", "devops", "cloudformation", "lambda function", "s3 bucket",
        "event listener", "event handler", "callback functions?", "iframe", "viewport", "media quer(?:y|ies)", "stylesheet", "font-size", "z-index",
        "int(?:eger)? overflow", "floating[- ]point", "null pointer", "void", "malloc", "pointer to", "pass by (?:reference|value)", "variable scope", "immutable",
        "thread[- ]safe", "concurrency", "coroutines?", "semaphores?", "socket programming", "web ?socket", "reverse proxy", "programming languages?", "load testing", "rate limiter",
    ),
    (
        "dependency injection", "database (?:schema|tables?|design|queries)", "schema for an?", "flutter", "dart (?:code|class|app)", "axios", "external apis?", "landing page",
        "contact form", "a process and a thread", "threads? and process(?:es)?", "multi-?processing", "interpreted (?:and|vs|or|languages?)", "compiled languages?",
        "binary (?:matrix|array|string|number representation)", "number of islands", "2d (?:array|grid|matrix)", "anagrams? of", "prefix sum", "subarrays?", "subsequences?",
        "in-place algorithm", "recursion", "docker(?:-compose| compose| image| container)s?", "container image", "helm chart",
        "virtual machine", "hypervisor", "kernel module", "system calls?", "symlink", "sudo", "localhost", "mac address", "packet loss",
        "cache invalidation", "caching (?:layer|strategy)", "message queue", "event-driven", "serverless", "graph database", "vector database", "data warehouse",
        "data pipelines?", "game engine", "unreal engine", "godot", "roblox", "minecraft (?:mod|plugin)", "raspberry pi", "microcontrollers?", "utf-8", "unicode",
        "checksum", "md5", "ssl certificate", "malbolge", "brainfuck", "ocaml", "erlang", "elixir", "clojure", "cobol", "visual basic", "assembly language",
        "machine code", "instruction set",
    ),
)  # fmt: skip

STRONG_CODE = (
    r"```\s*(?:python|java|javascript|js|c|cpp|csharp|cs|sql|html|css|bash|sh|go|rust|ruby|php|typescript|ts|r|json|yaml)\b",
    *(_words(*group) for group in SURE_NAMES),
    *(_words(*group) for group in CODE_TERMS),
    r"\b(?:regular expressions?|linked lists?|binary (?:search )?trees?|hash ?(?:maps?|tables?)|null pointer|unit tests?)\b",
    r"\b(?:time|space) complexity\b|\bo\((?:1|n|log n|n\^2|n log n)\)",
    r"\b(?:source code|sample code|example code|code examples?|code review|pseudo-?code|code snippet|lines of code|python (?:code|script|snippet|function|program|class))\b",
    r"\b(?:dynamic programming|data structures?|multi-?thread(?:ed|ing)|object[- ]oriented|stack ?overflow(?:error)?)\b",
    r"\b(?:rest(?:ful)? apis?|smart contract|lru cache|pull request|cron ?job|shell script|bash script|segmentation fault)\b",
    r"\barrays? of (?:integers|strings|numbers|ints|objects)\b|\b(?:integer|string|input) array\b",
    r"\b(?:write|create|implement|develop|design|build|code)\b(?: me)? (?:a|an|the|some)(?: [\w#+.-]+){0,3} "
    r"(?:function|algorithm|macro|subroutine|sql query|web ?scraper|chatbot in|compiler for)\b(?! of\b)",
    r"\b(?:write|create|develop|implement|build)\b(?: me)? (?:a|an)(?: [\w#+.-]+){0,2} (?:program|script|app|application|class)\b"
    r" (?:that|which|to|in (?:java|python|c|go|rust|ruby|swift|r|scala)|called|named|using|for a (?:stack|queue|tree))\b",
    r"\b(?:in|using|with) python\b(?! skin)|\bgdscript\b|\b[a-z]+\.js\b|\blatex (?:code|document)\b|\b(?:excel|google sheets|spreadsheet) (?:formula|function|macro)",
    r"\b(?:if|switch|import|return|print|case|try)[ -](?:else )?statements?\b|\b(?:for|while|do-while|foreach|event)[ -]loops?\b|\bnested (?:ifs?|loops?)\b",
    r"\b(?:garbage collect(?:ion|or)|memory leaks?|race conditions?|stack memory|heap memory|call ?stack|type (?:hints?|annotations?|errors?)"
    r"|async(?:/|\s+and\s+)await|lambda (?:function|expression)s?|list comprehensions?|higher-order functions?|design patterns?"
    r"|primary key|foreign key|sql injection|version control|web ?scraping|rest endpoints?|front-?end|back-?end|full-?stack)\b",
    r"\b(?:write|create|need|give me|optimi[sz]e|fix) (?:me )?(?:a|an|the|this|my)(?: \w+){0,2} query\b|\b(?:refactor|debug|compile) (?:this|the|my)\b",
    r"\b(?:a|the|this|two|each|parent|nested|child) divs?\b|\bresponsive (?:nav\w*|web ?\w+|layout|header|grid|landing page)|\b(?:hamburger|dropdown) menu\b",
    r"\b(?:let|var) (?:and|or|vs\.?|versus) (?:const|var|let)\b|\bnull and undefined\b|\bundefined is not\b|\bis not a function\b|\bget and post\b|\b(?:deploy|host) (?:a|an|my|the|this) (?:\w+ ){0,3}(?:site|app|application|service|api|model|container)\b|\bexit(?:s|ed)? (?:code|with (?:code|status))\b",
    r"\b(?:bash|shell|python|perl|ruby) one-liners?\b|\.(?:py|cpp|java|html|css|sql|ipynb|dll)\b",
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
    "(?:python|java|pandas|git|mysql|linux|docker|react|vue|excel vba)[23]?(?=[\u4e00-\u9fff])|[\u4e00-\u9fff](?:python|java|pandas|vue)(?![a-z])",
    "小程序(?:的|页面|开发|登录)|[字符整]{2,3}(?:串|数组).{0,12}(?:子串|最长|反转|去重|求)|(?:编写|写一?个?)程序|无重复字符|子串|子数组|接口和抽象类|抽象类|依赖注入|进程与线程|输入输出流|"
    "前端|后端|装饰器|死锁|继承和多态|内存泄漏|源代码|命令行|单元测试|编译(?:器|错误)|反转.{0,4}链表|栈和队列|哈希表|动态规划|父子组件",
    "缓存(?:机制|算法)?的?(?:实现|get|过期)|https?(?=[的和与请协])|栈溢出|复杂度为?o|线程池|进程和线程|虚拟机|反射机制|设计模式|负载均衡|分布式锁|消息队列|微服务|主键|外键|事务隔离|"
    "深度学习框架|神经网络.{0,8}(?:代码|实现)|开发环境|安装.{0,6}依赖|端口(?:被|占用|号)|日志文件|配置文件|网页(?:爬取|布局)|登录(?:页面|表单|功能)|管理系统.{0,10}(?:代码|实现|python|java|数据)",
    "数据结构|面向对象|多线程|整数数组|字符串.{0,6}(?:函数|反转|匹配)|shell脚本|c语言|go语言",
    "(?:编写|写出?|实现|定义|设计|开发|写)(?:一个|一段|个|如下)?[^。，！？\n]{0,16}(?:函数|算法|程序|脚本|接口|类|爬虫)(?!员)(?![型别似比])(?=$|[，。：:；,;（( ]|来|用于|可以|，)",
)

STRONG_CODE_CASED = (
    r"\b\w*[a-z](?:Error|Exception)\b",
    r"\b[a-z]+[A-Z]\w*\(\)",
    # An identifier like startsWith; from its capital on, which is found faster than its beginning.
    r"[A-Z](?:(?<=\b[a-z]{3}.)|(?<=\b[a-z]{4}.)|(?<=\b[a-z]{5}.)|(?<=\b[a-z]{6}.)|(?<=\b[a-z]{7}.))[a-z]+\w*\b",
    r"\bSELECT\b[\s\S]{1,200}\bFROM\b",
    r"\b(?:[Ii]n|[Uu]sing|[Ww]ith|for) (?:Java|Python|Rust|Go|Ruby|Swift|Scala|Unity|React|Flask|Angular|Vue|Lua|Julia|Dart|Bash|Linux)\b"
    r"(?=[,.?!:;]|$| (?:and|with|using|that|which|to|code|class|program|function|without|for|how)\b)",
    r"\b(?:[Ii]n|[Uu]sing|[Ww]ith|for) (?:R|C)\b"
    r"(?=[,.?!:;]|$| (?:and|with|using|that|which|to|code|class|program|function|without|for|how)\b)",
    r"\bJava(?:\s|,).{0,40}\b(?:class|method|program|code|interface|Swing|Kotlin)\b|\bReact\b.{0,30}\b(?:component|hook|app|state)s?\b",
)

WEAK_CODE = (
    _words(
        "json",
        "csv",
        "https? (?:request|server)",
        "url",
        "pandas",
        "tensor",
        "terminal",
        "software",
        "web ?sites?",
        "plugin",
        "pipeline",
        "neural networks?",
    ),
    r"\b[a-z]+_[a-z]+(?:_[a-z]+)*\b",
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
    r"^\s*(?:what(?:'s| is| are)|calculate|compute|find|evaluate|work out|simplify)\b[^.?!\n]{0,12}?-?\d[\d.,/]*%? (?:of|squared|cubed|mod|percent of|more than|less than|over|to the power)\b",
    r"\b\d+(?:\.\d+)? (?:squared|cubed)\b|\bin scientific notation\b|\bround(?:ed)? (?:off )?-?\d[\d.,]* to\b|\bdecimal places\b|\bsignificant figures\b",
    r"\b(?:words|numbers|teams|committees|codes|passwords|arrangements|integers|digits) can be (?:formed|made|chosen|arranged|created)\b|\bhow many \w+-(?:letter|digit|element) \w+",
    r"\b\d+\s*/\s*\d+ of \d",
    r"\(\s*\d*[a-z]\s*[-+]\s*\d+\s*\)\s*\(|\btimes as old as\b|\b(?:present|current) ages\b|\bladder\b.{0,40}\bwall\b.{0,80}\d",
    r"\b(?:supplementary|complementary|adjacent|interior|exterior|vertical|obtuse|acute|right) angles?\b|\bangles? (?:are|is) (?:supplementary|complementary)",
    r"\b(?:cylinder|cone|sphere|cube|prism|pyramid|triangle|rectangle|rhombus|square|circle|cuboid|hexagon|pentagon|polygon|parallelogram|trapezium)\b"
    r".{0,60}\b(?:volume|surface area|area|perimeter|radius|height|sides?|diameter|circumference|diagonal|legs?|width)\b.{0,20}\d",
    r"\blog base\b|\bmidpoint of\b|\bslope of the line\b|\bsqrt\s*\(|\b(?:what|which) percent(?:age)? of \$?\d|\b\d+!(?=\s*[-+*/=)]|\s+(?:divided|times))",
    r"\bmaths? (?:homework|problem|question|exercise)s?\b|\bwithout replacement\b|\bfair (?:coin|die|dice)\b|\bdeck of (?:52 )?cards\b.{0,60}\b(?:probability|chance)|\b(?:chance|probability|odds)\b.{0,40}\b(?:both|exactly|at least|at most)\b",
    r"[\d)]\s*\^\s*\(?-?[\da-z]|[\d)]\s*[×÷]\s*[(\d-]|\d\s*/\s*\d+\s*[-+*/÷×]\s*\d",
    r"\b(?:quotient|numerator|denominator|integrand|summation|coefficient of|polynomial|asymptotes?|parabola|hyperbola|ellipse|tangent line|normal line|unit circle|radians|"
    r"cosine|cotangent|scalene|vertex of|domain and range|inverse function|infinite series|partial fractions?|implicit differentiation|integration by parts|"
    r"l'h[oô]pital'?s?|chi-squared?|null hypothesis|confidence interval|z-score|expected value|bayes'? (?:theorem|rule)|binomial theorem|de moivre|pigeonhole|"
    r"euler'?s (?:formula|totient|theorem)|fermat'?s|rational root|row echelon|gaussian elimination|orthogonal|orthonormal|cross-multiply|order of operations|pemdas)\b",
    r"\b(?:distance|speed|rate) (?:of|is|at)\b.{0,30}\b(?:km/h|mph|kmph|m/s|miles per hour|kilometers per hour|kilometres per hour)\b.{0,160}\bhow (?:far|long|fast|many|much)\b",
    r"\$[^$\n]*[\\^_=<>+][^$\n]*\$|\$[a-z]\$",
    r"\\(?:frac|sqrt|int|sum|lim|log|begin\{[pbv]?matrix|cdot|times|le|ge|leq|geq|angle|pi|theta|alpha|binom|boxed)\b|\\\([^\n]{1,80}\\\)",
    r"(?<![a-z])\d*[xyzabnk]\s*[-+*/^]\s*\d*[a-z]?\s*(?:=|≤|≥|<|>)\s*-?\d",
    r"\b(?:sin|cos|tan|ln|log|exp)\s*\(\s*-?\d*[a-z]|\bas [a-z] (?:approaches|tends to|goes to)\b|\blimit of (?:the (?:sequence|function)|[a-z]+\()",
    r"\b(?:subgroups?|abelian|homomorphisms?|vector spaces?|subspaces?|metric spaces?|topological spaces?|hausdorff|cauchy sequences?|"
    r"hilbert spaces?|banach|surjective|injective|bijecti(?:on|ve)|null ?space|linearly independent|converges? uniformly|riemann)\b",
    r"\b(?:convert|express|write|change) -?\d[\d.,/]*%? (?:to|as|into) (?:a |an )?(?:fraction|decimal|percent(?:age)?|mixed number|binary|scientific notation)",
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
    r"(?:numbers|two numbers|\w+ numbers|(?:\w+ )?consecutive|-?\d+(?:\.\d+)?(?:,| and))",
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
    "自然数的和|连续(?:自然数|整数|奇数|偶数)|这[两三四]个数|化成(?:分数|小数|百分数)|(?:分数|小数)化成|比例尺|利息|利率是|(?:求|算)出?.{0,8}(?:差|商|积|余数)|几分之几|分之[一二三四五六七八九]|的[立平]方(?!米|厘米|分米|千米|公里)|照这样计算|"
    "二项式|对数|三角函数|正弦|余弦|正切|抛物线|双曲线|椭圆的|圆锥|圆柱|球的(?:体积|表面积)|棱长|锐角|钝角|补角|余角|平行四边形|反证法|数学归纳法|排列组合|有多少种|标准差|方差|中位数|众数|期望值|复数|集合[a-z]|公比|公差|通项|代数式|因式分解|合并同类项|通分|约分|小数化|方程组",
    r"\d\s*[×÷]\s*\d|\d\s*[+＋]\s*\d+\s*[=＝]|\d+\s*(?:乘以|除以|加上|减去)\s*\d",
)

WEAK_MATH = (
    r"\b(?:solve|compute|calculate|evaluate|simplify|factor|estimate|determine)\b",
    r"\(\s*-?\d+(?:\.\d+)?\s*,\s*-?\d+(?:\.\d+)?\s*\)",
    r"\bcoordinates?\b",
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
NUMBER_ZH = r"(?<![\d.])(?!(?:19|20)\d\d年)\d+(?:\.\d+)?|[两三四五六七八九十]+(?=[个只条元天小时岁年米倍人本次折名分])|百分之[一二三四五六七八九十百零]+"
QUANTITY_QUESTION = (
    r"\b(?:what (?:fraction|percentage|percent|proportion)|what(?:'s| is) the (?:chance|ratio|difference|sum|product|remainder|volume|perimeter|slope))\b|"
    r"\bfind (?:both|all|each|the (?:other|larger|smaller|two|three)|how)\b|"
    r"\bhow (?:many|much|long|far|old|fast|tall|large|big|high|deep|wide|heavy)\b(?! (?:do|does) (?:you|i|it cost to live))|"
    r"\bfind the (?:\w+ ){0,2}(?:average|number|total|sum|value|ratio|distance|difference)\b|\bat what time\b|"
    r"\bwhen (?:do|will|did) (?:they|the \w+) (?:meet|catch|pass|arrive|be)\b|\bwhat are they\b|"
    r"\b(?:find|what are) (?:its|the|their) (?:dimensions|numbers|lengths|ages|sides|integers)\b|"
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
