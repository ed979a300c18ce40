//! The journal's own tests.

use super::*;
