//! The rules and vocabularies of one language, indexed for look-up while code is evaluated.

use crate::scan::pattern::Index;
use crate::scan::rules::{Handler, Made, Origin, Rule, RuleSet, Sanitizer, Sink, Source, Tongue};
use std::sync::{Mutex, PoisonError};

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
    pub(super) guards: Index<&'static Sanitizer>,
    pub(super) restorers: Index<&'static Sanitizer>,
    pub(super) makers: Index<&'static Made>,
    pub(super) setters: Index<&'static Made>,
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
            for pattern in &sink.assign {
                lexicon.assigned.add(pattern, (rule, sink));
            }
            if sink.returns {
                lexicon.returns.push((rule, sink));
            }
            if !sink.names.is_empty() {
                lexicon.named.push((rule, sink));
                lexicon.named_sources.extend(&rule.sources.kinds);
            }
        }
        for origin in &rule.sources.own {
            lexicon.add_origin(origin);
        }
        if let Some(sanitizer) = &rule.safe_by {
            for pattern in &sanitizer.call {
                lexicon.sanitizers.add(pattern, sanitizer);
            }
        }
    }
    for vocabulary in set.vocabularies.iter().filter(|words| words.languages.contains(&tongue)) {
        for origin in &vocabulary.sources {
            lexicon.add_origin(origin);
        }
        for sanitizer in &vocabulary.sanitizers {
            for pattern in &sanitizer.call {
                lexicon.sanitizers.add(pattern, sanitizer);
            }
        }
        for guard in &vocabulary.guards {
            for pattern in &guard.call {
                lexicon.guards.add(pattern, guard);
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
