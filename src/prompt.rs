//! Embedded Markdown to a finished prompt.
