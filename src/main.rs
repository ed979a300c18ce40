//! The `agent` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|word| word == agent::sandbox::linux::HELPER_ARGUMENT) {
        // Before any thread and any runtime: the helper builds namespaces around itself.
        agent::sandbox::linux::helper_main();
    }
    // The agent holds keys: nobody traces it, and it leaves no core file.
    #[cfg(target_os = "linux")]
    let _ = agent::sandbox::linux::seal(); // Refused only by systems that forbid it to everybody.
    agent::cli::main()
}
