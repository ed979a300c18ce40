//! Which hosts and addresses may be reached, and the proxy through which commands reach them.

pub mod guard;
mod head;
pub mod proxy;

use futures_util::future::BoxFuture;

/// Decides which hosts a command may reach. Asked once for each connection, before any name is looked up.
pub trait Gate: Send + Sync {
    /// Whether that host may be reached at that port; why not, else. `host` is a name of ASCII letters, digits,
    /// hyphens and dots in lower case, never an address.
    fn admit<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), String>>;
}

/// Lets through what a function admits, without asking anybody.
pub struct Fixed<F>(pub F);

impl<F: Fn(&str, u16) -> Result<(), String> + Send + Sync> Gate for Fixed<F> {
    fn admit<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready((self.0)(host, port)))
    }
}
