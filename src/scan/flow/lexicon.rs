//! The rules and vocabularies of one language, indexed for look-up while code is evaluated.

use crate::scan::pattern::Index;
use crate::scan::rules::{Handler, Made, Origin, Rule, Sanitizer, Sink, Source, Tongue, embedded};
use std::sync::OnceLock;

/// A rule and one of its sinks.
pub(super) type RuleSink = (&'static Rule, &'static Sink);

/// The index of a language.
#[derive(Default)]
pub(super) struct Lexicon {
    pub(super) sinks: Index<RuleSink>,
    pub(super) returns: Vec<RuleSink>,
    /// Sinks that are assigned to.
    pub(super) assigned: Index<RuleSink>,
    /// Sinks that are names.
    pub(super) named: Vec<RuleSink>,
    /// Which sources the named sinks ask for.
    pub(super) named_sources: Vec<Source>,
    pub(super) path_sources: Index<&'static Origin>,
    pub(super) call_sources: Index<&'static Origin>,
    pub(super) sanitizers: Index<&'static Sanitizer>,
    pub(super) restorers: Index<&'static Sanitizer>,
    pub(super) makers: Index<&'static Made>,
    pub(super) setters: Index<&'static Made>,
    pub(super) handlers: Vec<&'static Handler>,
}

/// The index of a language, made at the first call.
pub(super) fn lexicon(tongue: Tongue) -> &'static Lexicon {
    static PYTHON: OnceLock<Lexicon> = OnceLock::new();
    static JAVASCRIPT: OnceLock<Lexicon> = OnceLock::new();
    let cell = match tongue {
        Tongue::Python => &PYTHON,
        Tongue::JavaScript => &JAVASCRIPT,
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
            for pattern in &sink.assign {
                lexicon.assigned.add(pattern, (rule, sink));
            }
            if sink.returns {
                lexicon.returns.push((rule, sink));
            }
            if !sink.names.is_empty() {
                lexicon.named.push((rule, sink));
                lexicon.named_sources.extend(&rule.sources);
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
        for restorer in &vocabulary.restorers {
            for pattern in &restorer.call {
                lexicon.restorers.add(pattern, restorer);
            }
        }
        for made in &vocabulary.objects {
            for pattern in &made.by {
                lexicon.makers.add(pattern, made);
            }
            for pattern in &made.set_by {
                lexicon.setters.add(pattern, made);
            }
        }
        lexicon.handlers.extend(&vocabulary.handlers);
    }
    lexicon
}
