//! The `agent` binary: everything is in the library.

fn main() {
    // The helper confines itself while it is alone: before any runtime, settings or threads.
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|word| word == agent::sandbox::linux::HELPER_ARGUMENT) {
        agent::sandbox::linux::helper_main();
    }
}
