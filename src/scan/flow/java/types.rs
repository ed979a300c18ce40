//! Declared types: what they say of a value, and what library methods give.

use super::is_type;
use crate::scan::flow::value::{Kinds, Value};
use crate::scan::flow::{Engine, Frame};
use crate::scan::rules::Kind;

/// Types whose values hold no text of a client.
const NUMBERS: &[&str] = &[
    "int",
    "long",
    "short",
    "byte",
    "double",
    "float",
    "boolean",
    "Integer",
    "Long",
    "Short",
    "Byte",
    "Double",
    "Float",
    "Boolean",
    "BigDecimal",
    "BigInteger",
    "UUID",
    "LocalDate",
    "LocalDateTime",
    "LocalTime",
    "Instant",
    "Duration",
    "Date",
    "Timestamp",
    "ZonedDateTime",
    "OffsetDateTime",
    "YearMonth",
    "Number",
    "AtomicInteger",
    "AtomicLong",
    "OptionalInt",
    "OptionalLong",
];

/// Types that say nothing of a value.
const LOOSE: &[&str] = &[
    "String",
    "CharSequence",
    "Object",
    "char",
    "Character",
    "var",
    "T",
    "E",
    "K",
    "V",
    "R",
    "Serializable",
    "Comparable",
    "Iterable",
    "Collection",
    "Optional",
    "Stream",
    "Iterator",
    "Enumeration",
    "Supplier",
    "Function",
    "Callable",
    "Consumer",
    "Predicate",
    "BiFunction",
    "UnaryOperator",
];

/// What methods of the libraries give, where the type matters to a rule.
const GIVES: &[(&str, &str)] = &[
    ("HttpServletResponse.getWriter", "ResponseWriter"),
    ("ServletResponse.getWriter", "ResponseWriter"),
    ("HttpServletResponse.getOutputStream", "ResponseStream"),
    ("ServletResponse.getOutputStream", "ResponseStream"),
    ("JspContext.getOut", "ResponseWriter"),
    ("PageContext.getOut", "ResponseWriter"),
    ("HttpServletRequest.getSession", "HttpSession"),
    ("HttpServletRequest.getServletContext", "ServletContext"),
    ("HttpServletRequest.getPart", "Part"),
    ("DriverManager.getConnection", "Connection"),
    ("DataSource.getConnection", "Connection"),
    ("Connection.createStatement", "Statement"),
    ("Connection.prepareStatement", "PreparedStatement"),
    ("Connection.prepareCall", "CallableStatement"),
    ("Runtime.getRuntime", "Runtime"),
    ("DocumentBuilderFactory.newInstance", "DocumentBuilderFactory"),
    ("DocumentBuilderFactory.newDefaultInstance", "DocumentBuilderFactory"),
    ("DocumentBuilderFactory.newDocumentBuilder", "DocumentBuilder"),
    ("SAXParserFactory.newInstance", "SAXParserFactory"),
    ("SAXParserFactory.newSAXParser", "SAXParser"),
    ("SAXParser.getXMLReader", "XMLReader"),
    ("XMLReaderFactory.createXMLReader", "XMLReader"),
    ("XMLInputFactory.newInstance", "XMLInputFactory"),
    ("XMLInputFactory.newFactory", "XMLInputFactory"),
    ("TransformerFactory.newInstance", "TransformerFactory"),
    ("SchemaFactory.newInstance", "SchemaFactory"),
    ("JAXBContext.newInstance", "JAXBContext"),
    ("JAXBContext.createUnmarshaller", "Unmarshaller"),
    ("XPathFactory.newInstance", "XPathFactory"),
    ("XPathFactory.newXPath", "XPath"),
    ("XPath.compile", "XPathExpression"),
    ("MessageDigest.getInstance", "MessageDigest"),
    ("Cipher.getInstance", "Cipher"),
    ("SecureRandom.getInstance", "SecureRandom"),
    ("SecureRandom.getInstanceStrong", "SecureRandom"),
    ("ESAPI.encoder", "Encoder"),
    ("Paths.get", "Path"),
    ("Path.of", "Path"),
    ("Path.resolve", "Path"),
    ("Path.normalize", "Path"),
    ("Path.toAbsolutePath", "Path"),
    ("Path.toRealPath", "Path"),
    ("File.toPath", "Path"),
    ("Path.toFile", "File"),
    ("File.getCanonicalFile", "File"),
    ("File.getAbsoluteFile", "File"),
    ("Pattern.compile", "Pattern"),
    ("Pattern.matcher", "Matcher"),
    ("LoggerFactory.getLogger", "Logger"),
    ("LogManager.getLogger", "Logger"),
    ("Logger.getLogger", "Logger"),
    ("LogFactory.getLog", "Logger"),
    ("ScriptEngineManager.getEngineByName", "ScriptEngine"),
    ("ScriptEngineManager.getEngineByExtension", "ScriptEngine"),
    ("EntityManagerFactory.createEntityManager", "EntityManager"),
    ("SessionFactory.openSession", "Session"),
    ("SessionFactory.getCurrentSession", "Session"),
    ("HttpClient.newHttpClient", "HttpClient"),
    ("URI.create", "URI"),
    ("URI.toURL", "URL"),
    ("ZipFile.entries", "ZipEntries"),
    ("Jwts.parserBuilder", "JwtParserBuilder"),
    ("Jwts.parser", "JwtParser"),
];

/// Whether a declared type holds no text.
pub(super) fn is_number(kind: &str) -> bool {
    NUMBERS.contains(&kind)
}

/// The simple name of a declared type; `None` for one that says nothing.
pub(super) fn shown(kind: &str) -> Option<&str> {
    if LOOSE.contains(&kind) || kind.ends_with("[]") || !is_type(kind) { None } else { Some(kind) }
}

/// The type a library method gives.
pub(super) fn given_by(path: &str) -> Option<&'static str> {
    GIVES.iter().find(|(method, _)| *method == path).map(|(_, kind)| *kind)
}

impl<'a> Engine<'a> {
    /// A variable keeps its declared type when something of no known type is put into it.
    pub(in crate::scan::flow) fn retyped(frame: &Frame<'a>, name: &str, mut value: Value<'a>) -> Value<'a> {
        let known = value.path.as_deref().is_some_and(is_type) || value.callable.is_some();
        if !known
            && let Some(kind) =
                frame.vars.get(name).and_then(|before| before.path.clone()).filter(|p| is_type(p))
        {
            value.path = Some(kind);
        }
        value
    }

    /// A value that is bound under a declared type. A narrower type that is known already stays.
    pub(in crate::scan::flow) fn typed(&self, mut value: Value<'a>, declared: Option<&str>) -> Value<'a> {
        let Some(kind) = declared else { return value };
        if is_number(kind) {
            value.clear(Kinds::of(&[Kind::All]));
            value.path = None;
            return value;
        }
        let known = value.path.as_deref().is_some_and(is_type);
        if let Some(kind) = shown(kind).filter(|_| !known && value.callable.is_none()) {
            value.path = Some(kind.into());
        }
        value
    }
}
