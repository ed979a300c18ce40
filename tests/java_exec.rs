//! Fixed Java code, compiled and run against the JDK alone: benign input gives what it gave before, and what an
//! attacker got before nobody gets after. Databases are a stub of `java.sql` that writes down what it is asked.
#![allow(clippy::disallowed_methods, reason = "the tests run javac and java on files of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod house;

use agent::scan::Scanner;
use std::path::Path;
use std::process::Command;

/// The request, as far as the samples ask it: a name is enough for the scanner, this for the compiler.
const REQUEST: &str = "package javax.servlet.http;\n\npublic class HttpServletRequest {\n    private final String value;\n\n    public HttpServletRequest(String value) {\n        this.value = value;\n    }\n\n    public String getParameter(String name) {\n        return value;\n    }\n\n    public java.io.InputStream getInputStream() {\n        return new java.io.ByteArrayInputStream(java.util.Base64.getDecoder().decode(value));\n    }\n}\n";

/// A connection that writes down texts and values.
const STUB: &str = "import java.lang.reflect.*;\nimport java.util.*;\n\npublic class Stub {\n    static final List<String> asked = new ArrayList<>();\n\n    static Object of(Class<?> kind) {\n        InvocationHandler handler = (proxy, method, args) -> {\n            String name = method.getName();\n            if (name.equals(\"prepareStatement\") || (name.startsWith(\"execute\") && args != null)) {\n                asked.add(\"text \" + args[0]);\n            } else if (name.startsWith(\"set\") && args != null && args.length == 2) {\n                asked.add(\"value \" + args[1]);\n            }\n            Class<?> gives = method.getReturnType();\n            if (gives == boolean.class) return false;\n            if (gives == int.class) return 0;\n            return gives.isInterface() && gives.getName().startsWith(\"java.sql\") ? of(gives) : null;\n        };\n        return Proxy.newProxyInstance(Stub.class.getClassLoader(), new Class<?>[] {kind}, handler);\n    }\n}\n";

/// Fixes everything of a rule, one finding after the other.
fn fixed(rule: &str, code: &str) -> String {
    let mut text = code.to_owned();
    for _ in 0..20 {
        let findings = Scanner::new().scan_text("App.java", &text);
        match findings.iter().filter(|finding| finding.rule == rule).find_map(|finding| finding.fix.as_ref())
        {
            Some(fix) => text = fix.apply(&text).expect("edits fit the text"),
            None => return text,
        }
    }
    panic!("fixing does not end\n{text}");
}

/// What `Main` prints for these arguments, a line each.
fn run(folder: &Path, code: &str, main: &str, arguments: &[&str]) -> Vec<String> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("App.java", code);
    write("Main.java", main);
    write("Stub.java", STUB);
    write("javax/servlet/http/HttpServletRequest.java", REQUEST);
    let made = Command::new("javac").args(["-nowarn", "Main.java"]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}\n{code}", String::from_utf8_lossy(&made.stderr));
    let output =
        Command::new("java").args(["-cp", ".", "Main"]).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}\n{code}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Runs the code as it is and as it was fixed, on benign and on hostile input: `check` sees the four answers.
fn prove(rule: &str, code: &str, main: &str, benign: &str, hostile: &str, check: impl Fn([String; 4])) {
    if Command::new("javac").arg("-version").output().is_err() {
        house::stage::skip("javac cannot be started");
        return;
    }
    let after = fixed(rule, code);
    assert_ne!(after, code, "{rule} changes nothing");
    assert_eq!(fixed(rule, &after), after, "{rule}: a second run changes something");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/a.txt"), "benign").unwrap();
    std::fs::write(folder.path().join("secret.txt"), "FAKE-canary").unwrap();
    let before = run(folder.path(), code, main, &[benign, hostile]);
    let later = run(folder.path(), &after, main, &[benign, hostile]);
    let line = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    check([line(&before, 0), line(&before, 1), line(&later, 0), line(&later, 1)]);
}

const MAIN: &str = "public class Main {\n    public static void main(String[] args) {\n        for (String arg : args) {\n            String answer;\n            try {\n                answer = String.valueOf(new App().answer(new javax.servlet.http.HttpServletRequest(arg)));\n            } catch (Exception e) {\n                answer = \"refused\";\n            }\n            System.out.println(answer.trim().replace('\\n', ' '));\n        }\n    }\n}\n";

#[test]
fn a_path_stays_in_its_folder() {
    let code = "import java.io.IOException;\nimport java.nio.file.Files;\nimport java.nio.file.Path;\nimport java.nio.file.Paths;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    private final Path base = Paths.get(\"files\");\n\n    String answer(HttpServletRequest request) throws IOException {\n        Path file = base.resolve(request.getParameter(\"name\"));\n        return Files.readString(file);\n    }\n}\n";
    prove("java-path-traversal", code, MAIN, "a.txt", "../secret.txt", |[was, got, is, gets]| {
        assert_eq!([was.as_str(), got.as_str()], ["benign", "FAKE-canary"]);
        assert_eq!([is.as_str(), gets.as_str()], ["benign", "refused"]);
    });
}

#[test]
fn a_path_put_together_as_a_text_stays_in_its_folder() {
    let code = "import java.io.File;\nimport java.io.FileInputStream;\nimport java.io.IOException;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    String answer(HttpServletRequest request) throws IOException {\n        String fileName = \"files/\" + request.getParameter(\"name\");\n        try (FileInputStream in = new FileInputStream(new File(fileName))) {\n            return new String(in.readAllBytes());\n        }\n    }\n}\n";
    prove("java-path-traversal", code, MAIN, "a.txt", "../secret.txt", |[was, got, is, gets]| {
        assert_eq!([was.as_str(), got.as_str()], ["benign", "FAKE-canary"]);
        assert_eq!([is.as_str(), gets.as_str()], ["benign", "refused"]);
    });
}

#[test]
fn a_shell_no_longer_reads_the_value() {
    let code = "import java.io.IOException;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    String answer(HttpServletRequest request) throws IOException {\n        String word = request.getParameter(\"word\");\n        Process process = new ProcessBuilder(\"sh\", \"-c\", \"echo said \" + word).start();\n        return new String(process.getInputStream().readAllBytes());\n    }\n}\n";
    prove("java-command-injection", code, MAIN, "hello", "x; cat secret.txt", |[was, got, is, gets]| {
        assert_eq!(was, "said hello");
        assert!(got.contains("FAKE-canary"), "{got}");
        assert_eq!([is.as_str(), gets.as_str()], ["said hello", "said x; cat secret.txt"]);
    });
}

#[test]
fn a_value_is_no_part_of_the_statement() {
    let samples = [
        "        String sql = \"SELECT * FROM t WHERE name = '\" + request.getParameter(\"q\") + \"'\";\n        Statement statement = connection.createStatement();\n        ResultSet rows = statement.executeQuery(sql);\n",
        "        Statement statement = connection.createStatement();\n        String sql = \"SELECT * FROM t WHERE name = '\" + request.getParameter(\"q\") + \"'\";\n        ResultSet rows = statement.executeQuery(sql);\n",
        "        String q = request.getParameter(\"q\");\n        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(\"SELECT * FROM t WHERE name = '\" + q + \"'\")) {\n            rows.next();\n        }\n",
        "        connection.createStatement().executeUpdate(String.format(\"SELECT * FROM t WHERE name = '%s'\", request.getParameter(\"q\")));\n",
        "        String q = request.getParameter(\"q\");\n        PreparedStatement statement = connection.prepareStatement(\"SELECT * FROM t WHERE name = '\" + q + \"'\");\n        statement.executeQuery();\n",
        "        String q = request.getParameter(\"q\");\n        Statement statement = null;\n        try {\n            statement = connection.createStatement();\n            statement.execute(\"SELECT * FROM t WHERE name = '\" + q + \"'\");\n        } finally {\n            statement.close();\n        }\n",
    ];
    for sample in samples {
        let code = format!(
            "import java.sql.*;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {{\n    private final Connection connection = (Connection) Stub.of(Connection.class);\n\n    String answer(HttpServletRequest request) throws SQLException {{\n        Stub.asked.clear();\n{sample}        return String.join(\" | \", Stub.asked);\n    }}\n}}\n"
        );
        prove("java-sql-injection", &code, MAIN, "ann", "x' OR '1'='1", |[was, got, is, gets]| {
            assert!(was.contains("name = 'ann'") && got.contains("OR '1'='1"), "{was} {got}");
            assert_eq!(is, "text SELECT * FROM t WHERE name = ? | value ann", "{sample}");
            assert_eq!(gets, "text SELECT * FROM t WHERE name = ? | value x' OR '1'='1", "{sample}");
        });
    }
}

#[test]
fn a_document_names_no_files() {
    let main = "public class Main {\n    public static void main(String[] args) {\n        String[] texts = {\"<a>fine</a>\", \"<!DOCTYPE a [<!ENTITY x SYSTEM \\\"secret.txt\\\">]><a>&x;</a>\"};\n        for (String text : texts) {\n            String answer;\n            try {\n                String sent = java.util.Base64.getEncoder().encodeToString(text.getBytes());\n                answer = new App().answer(new javax.servlet.http.HttpServletRequest(sent));\n            } catch (Exception e) {\n                System.err.println(e);\n                answer = \"refused\";\n            }\n            System.out.println(answer);\n        }\n    }\n}\n";
    let dom = "import javax.servlet.http.HttpServletRequest;\nimport javax.xml.parsers.DocumentBuilder;\nimport javax.xml.parsers.DocumentBuilderFactory;\nimport org.xml.sax.InputSource;\n\npublic class App {\n    String answer(HttpServletRequest request) throws Exception {\n        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();\n        DocumentBuilder builder = factory.newDocumentBuilder();\n        InputSource source = new InputSource(request.getInputStream());\n        source.setSystemId(new java.io.File(\"x.xml\").toURI().toString());\n        return builder.parse(source).getDocumentElement().getTextContent();\n    }\n}\n";
    let stream = "import javax.servlet.http.HttpServletRequest;\nimport javax.xml.stream.XMLInputFactory;\nimport javax.xml.stream.XMLStreamReader;\n\npublic class App {\n    String answer(HttpServletRequest request) throws Exception {\n        XMLInputFactory factory = XMLInputFactory.newInstance();\n        XMLStreamReader reader = factory.createXMLStreamReader(new java.io.File(\"x.xml\").toURI().toString(), request.getInputStream());\n        StringBuilder text = new StringBuilder();\n        while (reader.hasNext()) {\n            if (reader.next() == XMLStreamReader.CHARACTERS) {\n                text.append(reader.getText());\n            }\n        }\n        return text.toString();\n    }\n}\n";
    for (name, code) in [("dom", dom), ("stream", stream)] {
        prove("java-xml-external-entity", code, main, "", "", |[was, got, is, gets]| {
            assert_eq!([was.as_str(), got.as_str()], ["fine", "FAKE-canary"], "{name}");
            assert_eq!(is, "fine", "{name}");
            assert!(!gets.contains("FAKE-canary"), "{name}: {gets}");
        });
    }
}

#[test]
fn only_the_expected_class_is_read() {
    let main = "import java.io.*;\nimport java.util.Base64;\n\npublic class Main {\n    public static void main(String[] args) throws Exception {\n        for (Object sent : new Object[] {new Card(\"ann\"), new Other()}) {\n            ByteArrayOutputStream out = new ByteArrayOutputStream();\n            new ObjectOutputStream(out).writeObject(sent);\n            String text = Base64.getEncoder().encodeToString(out.toByteArray());\n            String answer;\n            try {\n                answer = new App().answer(new javax.servlet.http.HttpServletRequest(text));\n            } catch (ClassCastException e) {\n                answer = \"read first, refused too late\";\n            } catch (InvalidClassException e) {\n                answer = \"refused\";\n            }\n            System.out.println(answer);\n        }\n    }\n}\n\nclass Card implements Serializable {\n    String name;\n\n    Card(String name) {\n        this.name = name;\n    }\n}\n\nclass Other implements Serializable {\n}\n";
    let code = "import java.io.ObjectInputStream;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    String answer(HttpServletRequest request) throws Exception {\n        ObjectInputStream in = new ObjectInputStream(request.getInputStream());\n        Card card = (Card) in.readObject();\n        return card.name;\n    }\n}\n";
    prove("java-unsafe-deserialization", code, main, "", "", |[was, got, is, gets]| {
        assert_eq!([was.as_str(), got.as_str()], ["ann", "read first, refused too late"]);
        assert_eq!([is.as_str(), gets.as_str()], ["ann", "refused"]);
    });
}

#[test]
fn an_expression_finds_what_was_asked_for_and_no_more() {
    let code = "import java.io.StringReader;\nimport javax.servlet.http.HttpServletRequest;\nimport javax.xml.xpath.XPath;\nimport javax.xml.xpath.XPathFactory;\nimport org.xml.sax.InputSource;\n\npublic class App {\n    String answer(HttpServletRequest request) throws Exception {\n        XPath xpath = XPathFactory.newInstance().newXPath();\n        String expression = \"/all/user[@id='\" + request.getParameter(\"id\") + \"']/name\";\n        return xpath.evaluate(expression, new InputSource(new StringReader(\"<all><user id='1'><name>ann</name></user></all>\")));\n    }\n}\n";
    prove("java-xpath-injection", code, MAIN, "1", "x' or '1'='1", |[was, got, is, gets]| {
        assert_eq!([was.as_str(), got.as_str()], ["ann", "ann"]);
        assert_eq!([is.as_str(), gets.as_str()], ["ann", ""]);
    });
}

#[test]
fn digests_and_random_numbers_are_made_by_the_strong_ones() {
    let hash = "import java.security.MessageDigest;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    String answer(HttpServletRequest request) throws Exception {\n        return \"\" + MessageDigest.getInstance(\"MD5\").digest(request.getParameter(\"x\").getBytes()).length;\n    }\n}\n";
    prove("java-weak-hash", hash, MAIN, "a", "b", |[was, _, is, _]| {
        assert_eq!([was.as_str(), is.as_str()], ["16", "32"]);
    });
    let random = "import java.util.Random;\nimport javax.servlet.http.HttpServletRequest;\n\npublic class App {\n    String answer(HttpServletRequest request) {\n        Random random = new Random();\n        int pin = random.nextInt(10);\n        return random.getClass().getName() + (pin >= 0 && pin < 10);\n    }\n}\n";
    prove("java-weak-randomness", random, MAIN, "a", "b", |[was, _, is, _]| {
        assert_eq!([was.as_str(), is.as_str()], ["java.util.Randomtrue", "java.security.SecureRandomtrue"]);
    });
}
