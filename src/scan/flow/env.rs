//! Variables by name: copied for every branch at no cost, written when they differ.

use super::value::Value;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// Variables by name. Members of unknown objects are kept under their dotted name. A copy shares everything
/// until one of the two is written to.
#[derive(Debug, Clone, Default)]
pub(super) struct Env<'a> {
    vars: Rc<Vars<'a>>,
    /// Whether a dotted name may be among them.
    has_members: bool,
}

type Vars<'a> = HashMap<Rc<str>, Rc<Value<'a>>, Quick>;

/// Hashing for short names that nobody chooses to collide.
pub(super) type Quick = BuildHasherDefault<NameHasher>;

/// Multiplies words in, eight bytes at a time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

impl<'a> Env<'a> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.vars.get(name).map(Rc::as_ref)
    }

    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.vars.contains_key(name)
    }

    pub(super) fn insert(&mut self, name: Rc<str>, value: Value<'a>) {
        self.has_members |= name.contains('.');
        Rc::make_mut(&mut self.vars).insert(name, Rc::new(value));
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Value<'a>> {
        if !self.vars.contains_key(name) {
            return None;
        }
        Rc::make_mut(&mut self.vars).remove(name).map(Rc::unwrap_or_clone)
    }

    /// Takes out `name.…`.
    pub(super) fn forget_members(&mut self, name: &str) {
        let is_member = |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if self.has_members && self.vars.keys().any(|known| is_member(known)) {
            Rc::make_mut(&mut self.vars).retain(|known, _| !is_member(known));
        }
    }

    /// Adds all of another set; what both have is taken from there.
    pub(super) fn extend(&mut self, other: &Env<'a>) {
        if self.vars.is_empty() {
            self.clone_from(other);
            return;
        }
        self.has_members |= other.has_members;
        let vars = Rc::make_mut(&mut self.vars);
        vars.extend(other.vars.iter().map(|(name, value)| (Rc::clone(name), Rc::clone(value))));
    }

    /// Changes the values that `is_meant` holds for.
    pub(super) fn change(&mut self, is_meant: impl Fn(&Value<'a>) -> bool, change: impl Fn(&mut Value<'a>)) {
        if self.vars.values().any(|value| is_meant(value)) {
            for value in Rc::make_mut(&mut self.vars).values_mut().filter(|value| is_meant(value)) {
                change(Rc::make_mut(value));
            }
        }
    }
}

/// Joins two sets of variables: what neither branch touched is shared and stays.
#[allow(clippy::needless_pass_by_value, reason = "two sets go in, one comes out: the shape of a fold")]
pub(super) fn join_envs<'a>(mut left: Env<'a>, right: Env<'a>) -> Env<'a> {
    if Rc::ptr_eq(&left.vars, &right.vars) {
        return left;
    }
    left.has_members |= right.has_members;
    for (name, value) in right.vars.iter() {
        let joined = match left.vars.get(name) {
            Some(known) if Rc::ptr_eq(known, value) => continue,
            Some(known) => Rc::new((**known).clone().join((**value).clone())),
            None => Rc::clone(value),
        };
        Rc::make_mut(&mut left.vars).insert(Rc::clone(name), joined);
    }
    left
}
