//! The rules and vocabularies of one language, indexed for look-up while code is evaluated.

use super::value::Kinds;
use crate::scan::pattern::Index;
use crate::scan::rules::{Handler, Origin, Rule, RuleSet, Sink, Tongue};
use std::sync::{Mutex, PoisonError};

/// A rule and one of its sinks.
pub(super) type RuleSink = (&'static Rule, &'static Sink);

/// The index of a language.
#[derive(Default)]
pub(super) struct Lexicon {
    pub(super) sinks: Index<RuleSink>,
    pub(super) returns: Vec<RuleSink>,
    pub(super) path_sources: Index<&'static Origin>,
    pub(super) call_sources: Index<&'static Origin>,
    pub(super) sanitizers: Index<Kinds>,
    pub(super) handlers: Vec<&'static Handler>,
}

/// The index of a language, made at the first call.
pub(super) fn lexicon(set: &'static RuleSet, tongue: Tongue) -> &'static Lexicon {
    type Known = (usize, Tongue, &'static Lexicon);
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    let key = std::ptr::from_ref(set) as usize;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, lexicon)) = known.iter().find(|(set, of, _)| *set == key && *of == tongue) {
        return lexicon;
    }
    let lexicon: &'static Lexicon = Box::leak(Box::new(compile(set, tongue)));
    known.push((key, tongue, lexicon));
    lexicon
}

fn compile(set: &'static RuleSet, tongue: Tongue) -> Lexicon {
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
        for origin in &rule.sources.own {
            lexicon.add_origin(origin);
        }
        if let Some(kind) = rule.kind {
            for pattern in &rule.sanitizers {
                lexicon.sanitizers.add(pattern, Kinds::of(&[kind]));
            }
        }
    }
    for vocabulary in set.vocabularies.iter().filter(|words| words.languages.contains(&tongue)) {
        for origin in &vocabulary.sources {
            lexicon.add_origin(origin);
        }
        for sanitizer in &vocabulary.sanitizers {
            for pattern in &sanitizer.call {
                lexicon.sanitizers.add(pattern, Kinds::of(&sanitizer.kinds));
            }
        }
        lexicon.handlers.extend(&vocabulary.handlers);
    }
    lexicon
}

impl Lexicon {
    fn add_origin(&mut self, origin: &'static Origin) {
        for pattern in &origin.paths {
            self.path_sources.add(pattern, origin);
        }
        for pattern in &origin.calls {
            self.call_sources.add(pattern, origin);
        }
    }
}
