//! The rules and vocabularies of one language, indexed for look-up while code is evaluated.

use crate::scan::pattern::Index;
use crate::scan::rules::{Handler, Origin, Rule, Sanitizer, Sink, Tongue, embedded};
use std::sync::OnceLock;

/// A rule and one of its sinks.
pub(super) type RuleSink = (&'static Rule, &'static Sink);

/// The index of a language.
#[derive(Default)]
pub(super) struct Lexicon {
    pub(super) sinks: Index<RuleSink>,
    pub(super) returns: Vec<RuleSink>,
    pub(super) path_sources: Index<&'static Origin>,
    pub(super) call_sources: Index<&'static Origin>,
    pub(super) sanitizers: Index<&'static Sanitizer>,
    pub(super) handlers: Vec<&'static Handler>,
}

/// The index of a language, made at the first call.
pub(super) fn lexicon(tongue: Tongue) -> &'static Lexicon {
    static PYTHON: OnceLock<Lexicon> = OnceLock::new();
    static JAVASCRIPT: OnceLock<Lexicon> = OnceLock::new();
    static JAVA: OnceLock<Lexicon> = OnceLock::new();
    let cell = match tongue {
        Tongue::Python => &PYTHON,
        Tongue::JavaScript => &JAVASCRIPT,
        Tongue::Java => &JAVA,
    };
    cell.get_or_init(|| compile(tongue))
}

fn compile(tongue: Tongue) -> Lexicon {
    let set = embedded();
    let mut lexicon = Lexicon::default();
    for rule in set.rules.iter().filter(|rule| rule.languages.contains(&tongue)) {
        for sink in &rule.sinks {
            for pattern in &sink.call {
                lexicon.sinks.add(pattern, (rule, sink));
            }
            if sink.returns {
                lexicon.returns.push((rule, sink));
            }
        }
    }
    for vocabulary in set.vocabularies.iter().filter(|words| words.languages.contains(&tongue)) {
        for origin in &vocabulary.sources {
            for pattern in &origin.paths {
                lexicon.path_sources.add(pattern, origin);
            }
            for pattern in &origin.calls {
                lexicon.call_sources.add(pattern, origin);
            }
        }
        for sanitizer in &vocabulary.sanitizers {
            for pattern in &sanitizer.call {
                lexicon.sanitizers.add(pattern, sanitizer);
            }
        }
        lexicon.handlers.extend(&vocabulary.handlers);
    }
    lexicon
}
