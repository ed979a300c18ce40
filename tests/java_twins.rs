//! Pairs of Java servlets that differ in one constant, key, check or sanitiser: what carries a value from outside
//! to a sink and what does not, for every sink. Youden's index (recall minus false alarms) is held by family.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]

use agent::scan::Scanner;
use std::collections::BTreeMap;

/// How a request gives `param`.
const SOURCES: &[&str] = &[
    r#"String param = request.getParameter("q");"#,
    r#"String param = ""; if (request.getHeader("X-Q") != null) { param = request.getHeader("X-Q"); } param = java.net.URLDecoder.decode(param, "UTF-8");"#,
    r#"String param = ""; java.util.Enumeration<String> headers = request.getHeaders("X-Q"); if (headers != null && headers.hasMoreElements()) { param = headers.nextElement(); }"#,
    r#"javax.servlet.http.Cookie[] theCookies = request.getCookies(); String param = "none"; if (theCookies != null) { for (javax.servlet.http.Cookie theCookie : theCookies) { if (theCookie.getName().equals("q")) { param = java.net.URLDecoder.decode(theCookie.getValue(), "UTF-8"); break; } } }"#,
    r#"java.util.Map<String,String[]> map = request.getParameterMap(); String param = ""; if (!map.isEmpty()) { String[] values = map.get("q"); if (values != null) param = values[0]; }"#,
    r#"String queryString = request.getQueryString(); String paramval = "q="; int paramLoc = -1; if (queryString != null) paramLoc = queryString.indexOf(paramval); if (paramLoc == -1) { return; } String param = queryString.substring(paramLoc + paramval.length()); int ampersandLoc = queryString.indexOf("&", paramLoc); if (ampersandLoc != -1) { param = queryString.substring(paramLoc + paramval.length(), ampersandLoc); }"#,
    r#"String param = ""; boolean flag = true; java.util.Enumeration<String> names = request.getParameterNames(); while (names.hasMoreElements() && flag) { String name = (String) names.nextElement(); String[] values = request.getParameterValues(name); if (values != null) { for (int i = 0; i < values.length && flag; i++) { String value = values[i]; if (value.equals("q")) { param = name; flag = false; } } } }"#,
    r#"java.util.Enumeration<String> names = request.getHeaderNames(); String param = ""; while (names.hasMoreElements()) { String name = names.nextElement(); if (name.startsWith("x-")) { param = name; break; } }"#,
    r#"Wrapper scr = new Wrapper(request); String param = scr.getTheParameter("q");"#,
    r#"String[] values = request.getParameterValues("q"); String param; if (values != null && values.length > 0) param = values[0]; else param = "";"#,
];

/// How `param` becomes `bar`, and whether it is still dangerous.
const CARRIERS: &[(&str, bool)] = &[
    ("String bar = param;", true),
    ("String bar = param; bar = \"fixed\";", false),
    (
        "String bar; int num = 86; if ((7 * 42) - num > 200) bar = \"This_should_always_happen\"; else bar = param;",
        false,
    ),
    (
        "String bar; int num = 106; if ((7 * 42) - num > 200) bar = \"This_should_never_happen\"; else bar = param;",
        true,
    ),
    ("int num = 106; String bar = (7 * 18) + num > 200 ? \"This_should_always_happen\" : param;", false),
    ("int num = 106; String bar = (7 * 18) + num < 200 ? \"This_should_never_happen\" : param;", true),
    ("String bar; int num = 196; if ((500 / 42) + num > 200) bar = param; else bar = \"no\";", true),
    ("String bar; int num = 186; if ((500 / 42) + num > 200) bar = param; else bar = \"no\";", false),
    (
        "String bar; String guess = \"ABC\"; char switchTarget = guess.charAt(1); switch (switchTarget) { case 'A': bar = param; break; case 'B': bar = \"bob\"; break; case 'C': case 'D': bar = param; break; default: bar = \"bob's your uncle\"; break; }",
        false,
    ),
    (
        "String bar; String guess = \"ABC\"; char switchTarget = guess.charAt(2); switch (switchTarget) { case 'A': bar = \"a\"; break; case 'B': bar = \"bob\"; break; case 'C': case 'D': bar = param; break; default: bar = \"bob's your uncle\"; break; }",
        true,
    ),
    (
        "String guess = \"ABC\"; String bar = switch (guess.charAt(0)) { case 'A' -> param; case 'B' -> \"b\"; default -> \"c\"; };",
        true,
    ),
    (
        "String guess = \"ABC\"; String bar = switch (guess.charAt(1)) { case 'A' -> param; case 'B' -> \"b\"; default -> { String z = param; yield z; } };",
        false,
    ),
    (
        "String bar = \"alsosafe\"; if (param != null) { java.util.List<String> valuesList = new java.util.ArrayList<String>(); valuesList.add(\"safe\"); valuesList.add(param); valuesList.add(\"moresafe\"); valuesList.remove(0); bar = valuesList.get(0); }",
        true,
    ),
    (
        "String bar = \"alsosafe\"; if (param != null) { java.util.List<String> valuesList = new java.util.ArrayList<String>(); valuesList.add(\"safe\"); valuesList.add(param); valuesList.add(\"moresafe\"); valuesList.remove(0); bar = valuesList.get(1); }",
        false,
    ),
    (
        "java.util.HashMap<String,Object> map1 = new java.util.HashMap<String,Object>(); map1.put(\"keyA-1\", \"a_Value\"); map1.put(\"keyB-1\", param); map1.put(\"keyC\", \"another_Value\"); String bar = (String) map1.get(\"keyB-1\");",
        true,
    ),
    (
        "java.util.HashMap<String,Object> map1 = new java.util.HashMap<String,Object>(); map1.put(\"keyA-1\", \"a_Value\"); map1.put(\"keyB-1\", param); String bar = (String) map1.get(\"keyB-1\"); bar = (String) map1.get(\"keyA-1\");",
        false,
    ),
    (
        "String bar = \"\"; if (param != null) { bar = new String(org.apache.commons.codec.binary.Base64.decodeBase64(org.apache.commons.codec.binary.Base64.encodeBase64(param.getBytes()))); }",
        true,
    ),
    (
        "String bar = new String(java.util.Base64.getDecoder().decode(java.util.Base64.getEncoder().encodeToString(param.getBytes())));",
        true,
    ),
    (
        "StringBuilder sbxyz = new StringBuilder(param); String bar = sbxyz.append(\"_SafeStuff\").toString();",
        true,
    ),
    (
        "StringBuilder sb = new StringBuilder(); sb.append(\"a\").append(param); String bar = sb.toString();",
        true,
    ),
    (
        "StringBuilder sb = new StringBuilder(param); sb.setLength(0); sb.append(\"b\"); String bar = sb.toString();",
        false,
    ),
    ("StringBuilder sb = new StringBuilder(); sb.append(\"a\"); String bar = sb.toString();", false),
    (
        "String a1 = param; StringBuilder b1 = new StringBuilder(a1); b1.append(\" SafeStuff\"); b1.replace(b1.length() - \"Chars\".length(), b1.length(), \"Chars\"); java.util.HashMap<String,Object> map = new java.util.HashMap<String,Object>(); map.put(\"key1\", b1.toString()); String c1 = (String) map.get(\"key1\"); String d1 = c1.substring(0, c1.length() - 1); String e1 = new String(java.util.Base64.getDecoder().decode(java.util.Base64.getEncoder().encode(d1.getBytes()))); String f1 = e1.split(\" \")[0]; Thing thing = ThingFactory.createThing(); String bar = thing.doSomething(f1);",
        true,
    ),
    ("Thing thing = ThingFactory.createThing(); String bar = thing.doSomething(param);", true),
    ("Thing thing = ThingFactory.createOther(); String bar = thing.doSomething(param);", false),
    ("Thing thing = ThingFactory.byName(); String bar = thing.doSomething(param);", false),
    ("String bar = doSomething(request, param);", true),
    ("String bar = doSafely(request, param);", false),
    ("String bar = new Test().doSomething(request, param);", true),
    ("String bar = new Test().doSafely(request, param);", false),
    ("String bar = Tool.pass(param);", true),
    ("String bar = Tool.drop(param);", false),
    ("Wrapper scr2 = new Wrapper(request); String bar = scr2.getTheValue(\"q\");", false),
    ("Wrapper scr2 = new Wrapper(request); String bar = scr2.getTheParameter(\"q\");", true),
    (
        "String[] array = new String[3]; array[0] = \"a\"; array[1] = param; array[2] = \"c\"; String bar = array[1];",
        true,
    ),
    (
        "String[] array = new String[3]; array[0] = \"a\"; array[1] = param; array[2] = \"c\"; String bar = array[2];",
        false,
    ),
    ("String[] array = {\"a\", param}; String bar = array[0];", false),
    ("String bar = String.format(\"%s-%s\", \"a\", param);", true),
    ("String bar = String.format(\"%s-%s\", \"a\", \"b\");", false),
    ("String bar = String.valueOf(Integer.parseInt(param));", false),
    ("int id = Integer.parseInt(param); String bar = \"\" + id;", false),
    ("String bar = param.trim().toLowerCase();", true),
    (
        "java.util.Set<String> allowed = java.util.Set.of(\"a\", \"b\"); if (!allowed.contains(param)) { return; } String bar = param;",
        false,
    ),
    (
        "java.util.Set<String> allowed = java.util.Set.of(\"a\", \"b\"); if (!allowed.contains(param)) { param = param; } String bar = param;",
        true,
    ),
    (
        "if (!param.matches(\"[A-Za-z0-9]+\")) { throw new IllegalArgumentException(); } String bar = param;",
        false,
    ),
    ("if (!param.matches(\".+\")) { throw new IllegalArgumentException(); } String bar = param;", true),
    ("if (!SAFE.matcher(param).matches()) { return; } String bar = param;", false),
    ("String bar = CHOICES.getOrDefault(param, \"x\");", false),
    ("Holder h = new Holder(); h.setName(param); h.setOther(\"o\"); String bar = h.getName();", true),
    ("Holder h = new Holder(); h.setName(param); h.setOther(\"o\"); String bar = h.getOther();", false),
    ("java.util.List<String> l = new java.util.ArrayList<>(); fill(l, param); String bar = l.get(0);", true),
    (
        "java.util.List<String> l = new java.util.ArrayList<>(); l.add(\"a\"); fill(l, param); String bar = l.get(0);",
        false,
    ),
    ("String bar = java.util.Optional.ofNullable(param).map(x -> x.trim()).orElse(\"d\");", true),
    ("String bar = java.util.Optional.ofNullable(param).map(x -> \"const\").orElse(\"d\");", false),
    (
        "String bar = java.util.Arrays.asList(\"a\", param).stream().map(s -> s.toUpperCase()).collect(java.util.stream.Collectors.joining(\",\"));",
        true,
    ),
    (
        "java.util.ArrayDeque<String> d = new java.util.ArrayDeque<>(); d.push(\"a\"); d.push(param); String bar = d.pop();",
        true,
    ),
    (
        "java.util.ArrayDeque<String> d = new java.util.ArrayDeque<>(); d.push(param); d.push(\"a\"); String bar = d.pop();",
        false,
    ),
    ("String bar = \"x\"; for (int i = 0; i < 4; i++) { if (i == 3) { bar = param; } }", true),
    ("String bar = \"x\"; for (int i = 0; i < 3; i++) { if (i == 3) { bar = param; } }", false),
    ("String bar = null; try { bar = param; } finally { bar = \"f\"; }", false),
    ("java.util.function.Function<String, String> f = s -> s; String bar = f.apply(param);", true),
    ("java.util.function.Function<String, String> f = s -> \"k\"; String bar = f.apply(param);", false),
    ("String bar = MODE.equals(\"raw\") ? param : \"x\";", false),
    ("String bar = MODE.equals(\"plain\") ? param : \"x\";", true),
    (
        "java.util.Properties p = new java.util.Properties(); p.setProperty(\"a\", param); p.setProperty(\"b\", \"ok\"); String bar = p.getProperty(\"b\");",
        false,
    ),
    (
        "java.util.Properties p = new java.util.Properties(); p.setProperty(\"a\", param); p.setProperty(\"b\", \"ok\"); String bar = p.getProperty(\"a\");",
        true,
    ),
    (
        "String bar = \"safe!\"; java.util.HashMap<String,String> m = new java.util.HashMap<>(); m.put(\"k\", param); for (java.util.Map.Entry<String,String> e : m.entrySet()) { bar = e.getValue(); }",
        true,
    ),
];

/// Where `bar` does harm: rule, code.
const SINKS: &[(&str, &str)] = &[
    (
        "java-sql-injection",
        "String sql = \"SELECT * FROM users WHERE name='\" + bar + \"'\"; try { java.sql.Statement statement = DatabaseHelper.getSqlStatement(); statement.execute(sql); } catch (java.sql.SQLException e) { throw new ServletException(e); }",
    ),
    (
        "java-sql-injection",
        "String sql = \"{call \" + bar + \"}\"; try { java.sql.Connection connection = DatabaseHelper.getSqlConnection(); java.sql.CallableStatement statement = connection.prepareCall(sql); statement.executeQuery(); } catch (java.sql.SQLException e) { throw new ServletException(e); }",
    ),
    (
        "java-sql-injection",
        "DatabaseHelper.JDBCtemplate.queryForList(\"SELECT * FROM users WHERE name='\" + bar + \"'\");",
    ),
    ("java-command-injection", "Runtime r = Runtime.getRuntime(); Process p = r.exec(\"echo \" + bar);"),
    (
        "java-command-injection",
        "String[] args = {\"sh\", \"-c\", \"echo \" + bar}; Runtime.getRuntime().exec(args);",
    ),
    (
        "java-command-injection",
        "java.util.List<String> argList = new java.util.ArrayList<String>(); argList.add(\"sh\"); argList.add(\"-c\"); argList.add(\"echo \" + bar); ProcessBuilder pb = new ProcessBuilder(argList); pb.start();",
    ),
    (
        "java-path-traversal",
        "String fileName = \"/srv/files/\" + bar; java.io.FileInputStream fis = new java.io.FileInputStream(new java.io.File(fileName));",
    ),
    (
        "java-path-traversal",
        "java.io.File fileTarget = new java.io.File(new java.io.File(\"/srv\"), bar); if (fileTarget.exists()) { response.getWriter().println(\"x\"); }",
    ),
    (
        "java-path-traversal",
        "java.nio.file.Path path = java.nio.file.Paths.get(\"/srv/\" + bar); java.io.InputStream is = java.nio.file.Files.newInputStream(path);",
    ),
    (
        "java-cross-site-scripting",
        "response.setContentType(\"text/html\"); response.getWriter().println(\"<p>\" + bar + \"</p>\");",
    ),
    (
        "java-cross-site-scripting",
        "java.io.PrintWriter out = response.getWriter(); Object[] obj = {\"a\", bar}; out.format(\"%s %s\", obj);",
    ),
    ("java-cross-site-scripting", "response.getWriter().write(bar.toCharArray());"),
    (
        "java-ldap-injection",
        "javax.naming.directory.DirContext ctx = ads.getDirContext(); String filter = \"(&(objectclass=person)(uid=\" + bar + \"))\"; ctx.search(\"ou=users\", filter, controls);",
    ),
    (
        "java-xpath-injection",
        "javax.xml.xpath.XPath xp = javax.xml.xpath.XPathFactory.newInstance().newXPath(); String expression = \"/Employees/Employee[@emplid='\" + bar + \"']\"; String result = xp.evaluate(expression, xmlDocument);",
    ),
    ("java-trust-boundary", "request.getSession().setAttribute(\"userid\", bar);"),
    (
        "java-trust-boundary",
        "javax.servlet.http.HttpSession s = request.getSession(true); s.putValue(bar, \"10340\");",
    ),
];

const HELPERS: &[(&str, &str)] = &[
    (
        "src/helpers/Wrapper.java",
        "package helpers;\nimport javax.servlet.http.HttpServletRequest;\npublic class Wrapper {\n  private HttpServletRequest request;\n  public Wrapper(HttpServletRequest request) { this.request = request; }\n  public String getTheParameter(String p) { return request.getParameter(p); }\n  public String getTheValue(String p) { return \"bar\"; }\n}\n",
    ),
    (
        "src/helpers/Thing.java",
        "package helpers;\npublic interface Thing {\n  String doSomething(String i);\n}\n",
    ),
    (
        "src/helpers/Thing1.java",
        "package helpers;\npublic class Thing1 implements Thing {\n  public String doSomething(String i) { String r = \"fixed\"; return r; }\n}\n",
    ),
    (
        "src/helpers/Thing2.java",
        "package helpers;\npublic class Thing2 implements Thing {\n  @Override\n  public String doSomething(String i) { String r = i; return r; }\n}\n",
    ),
    (
        "src/helpers/ThingFactory.java",
        "package helpers;\nimport java.util.Properties;\npublic class ThingFactory {\n  public static Thing createThing() {\n    Properties props = new Properties();\n    try (java.io.InputStream in = ThingFactory.class.getClassLoader().getResourceAsStream(\"things.properties\")) {\n      props.load(in);\n    } catch (java.io.IOException e) { System.out.println(\"none\"); }\n    String which = props.getProperty(\"thing\");\n    if (\"two\".equals(which)) { return new Thing2(); }\n    return new Thing1();\n  }\n  public static Thing createOther() {\n    Properties props = new Properties();\n    try {\n      props.load(ThingFactory.class.getClassLoader().getResourceAsStream(\"things.properties\"));\n    } catch (java.io.IOException e) { System.out.println(\"none\"); }\n    String which = props.getProperty(\"other\", \"two\");\n    if (\"two\".equals(which)) { return new Thing2(); }\n    return new Thing1();\n  }\n  public static Thing byName() {\n    try {\n      Properties props = new Properties();\n      props.load(ThingFactory.class.getClassLoader().getResourceAsStream(\"things.properties\"));\n      return (Thing) Class.forName(props.getProperty(\"class\")).getDeclaredConstructor().newInstance();\n    } catch (Exception e) { throw new RuntimeException(e); }\n  }\n}\n",
    ),
    (
        "src/helpers/Tool.java",
        "package helpers;\npublic class Tool {\n  public static String pass(String s) { return new StringBuilder(s).reverse().toString(); }\n  public static String drop(String s) { return \"dropped\" + s.length(); }\n}\n",
    ),
    (
        "src/helpers/Holder.java",
        "package helpers;\npublic class Holder {\n  private String name;\n  private String other;\n  public void setName(String name) { this.name = name; }\n  public String getName() { return name; }\n  public void setOther(String o) { other = o; }\n  public String getOther() { return this.other; }\n}\n",
    ),
    (
        "src/helpers/DatabaseHelper.java",
        "package helpers;\nimport java.sql.*;\npublic class DatabaseHelper {\n  public static org.springframework.jdbc.core.JdbcTemplate JDBCtemplate;\n  private static Connection conn;\n  public static Statement getSqlStatement() throws SQLException { if (conn == null) { getSqlConnection(); } return conn.createStatement(); }\n  public static Connection getSqlConnection() throws SQLException { if (conn == null) { conn = DriverManager.getConnection(\"jdbc:hsqldb:mem:x\"); } return conn; }\n}\n",
    ),
    ("src/main/resources/things.properties", "# which one\nthing=two\nother: one\nclass=helpers.Thing1\n"),
];

fn servlet(source: &str, carrier: &str, sink: &str) -> String {
    format!(
        "package testcode;\n\nimport helpers.*;\nimport java.io.IOException;\nimport java.util.Map;\nimport java.util.regex.Pattern;\nimport javax.servlet.ServletException;\nimport javax.servlet.annotation.WebServlet;\nimport javax.servlet.http.HttpServlet;\nimport javax.servlet.http.HttpServletRequest;\nimport javax.servlet.http.HttpServletResponse;\n\n@WebServlet(value = \"/t\")\npublic class Case extends HttpServlet {{\n    private static final Pattern SAFE = Pattern.compile(\"[a-z]+\");\n    private static final String MODE = \"pla\" + \"in\";\n    private static final Map<String, String> CHOICES = Map.of(\"a\", \"1\", \"b\", \"2\");\n\n    @Override\n    public void doGet(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {{\n        doPost(request, response);\n    }}\n\n    @Override\n    public void doPost(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {{\n        {source}\n        {carrier}\n        {sink}\n    }}\n\n    private static String doSomething(HttpServletRequest request, String param) {{\n        String bar = \"x\";\n        if (param != null) {{ bar = param; }}\n        return bar;\n    }}\n\n    private static String doSafely(HttpServletRequest request, String param) {{\n        java.util.List<String> list = new java.util.ArrayList<String>();\n        list.add(\"safe\");\n        list.add(param);\n        list.remove(1);\n        return list.get(0);\n    }}\n\n    private static void fill(java.util.List<String> list, String value) {{\n        list.add(value);\n    }}\n\n    private class Test {{\n        public String doSomething(HttpServletRequest request, String param) {{\n            return org.apache.commons.lang.StringUtils.defaultString(param);\n        }}\n\n        public String doSafely(HttpServletRequest request, String param) {{\n            String a = param;\n            a = \"c\";\n            return a;\n        }}\n    }}\n}}\n"
    )
}

fn is_found(rule: &str, code: &str) -> bool {
    let mut files = vec![("src/testcode/Case.java", code)];
    files.extend(HELPERS.iter().copied());
    let findings = Scanner::new().scan_texts(&files);
    findings.iter().any(|finding| finding.rule == rule && finding.path.ends_with("Case.java"))
}

#[test]
fn what_carries_a_value_to_a_sink_is_told_from_what_does_not() {
    let mut counts: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut check = |rule: &'static str, source: &str, carrier: &str, sink: &str, expected: bool| {
        let found = is_found(rule, &servlet(source, carrier, sink));
        let count = counts.entry(rule).or_default();
        count[usize::from(expected) * 2 + usize::from(found)] += 1;
        if found != expected {
            wrong.push(format!("{rule}: found {found}\n  {source}\n  {carrier}\n  {sink}"));
        }
    };
    for (at, (carrier, expected)) in CARRIERS.iter().enumerate() {
        let (rule, sink) = SINKS[at % SINKS.len()];
        check(rule, SOURCES[at % SOURCES.len()], carrier, sink, *expected);
        let (rule, sink) = SINKS[(at * 7 + 3) % SINKS.len()];
        check(rule, SOURCES[0], carrier, sink, *expected);
    }
    for (rule, sink) in SINKS {
        for source in SOURCES {
            check(rule, source, CARRIERS[0].0, sink, true);
            check(rule, source, CARRIERS[1].0, sink, false);
        }
    }
    for (rule, [silent, alarm, missed, found]) in &counts {
        #[allow(clippy::cast_precision_loss, reason = "counts of a few hundred")]
        let ratio = |part: usize, other: usize| part as f64 / (part + other).max(1) as f64;
        let youden = ratio(*found, *missed) - ratio(*alarm, *silent);
        eprintln!(
            "{rule}: Youden {youden:+.2} ({found} found, {missed} missed, {alarm} false, {silent} silent)"
        );
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
