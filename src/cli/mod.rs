//! Arguments, wiring, plain and JSON output, exit codes.
