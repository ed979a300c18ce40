//! The sources of a rule: words for what the whole scanner knows, and origins that count for that rule alone.

use super::{Origin, Source};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use std::fmt;

/// Which values are dangerous for a rule.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Kinds of sources.
    pub(in crate::scan) kinds: Vec<Source>,
    /// Origins of the rule's own, once numbered each of its [`Source::Own`].
    pub(in crate::scan) own: Vec<Origin>,
}

impl Sources {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether values of this source are meant.
    pub fn contains(&self, source: &Source) -> bool {
        self.kinds.contains(source)
    }
}

/// `request`, or a mapping.
enum Entry {
    Word(Source),
    Own(Box<Origin>),
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request, parameter, exception, any, always, or a mapping with paths or calls")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Entry, E> {
        Source::deserialize(StrDeserializer::<E>::new(word)).map(Entry::Word)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Origin::deserialize(MapAccessDeserializer::new(map)).map(|origin| Entry::Own(Box::new(origin)))
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sources = Sources::default();
        for entry in Vec::<Entry>::deserialize(deserializer)? {
            match entry {
                Entry::Word(source) => sources.kinds.push(source),
                Entry::Own(origin) => sources.own.push(*origin),
            }
        }
        Ok(sources)
    }
}
