//! The door to the proxy: a socket that listens inside the command's network and is served outside of it.
//!
//! A listening socket keeps the network it was made in. The helper makes it on the command's own loopback and
//! passes it to the parent; no process, file or address of the machine stands between.

use super::orders::Report;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::ffi::OsString;
use std::io::{Error, IoSlice, IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use tokio::io::Interest;

/// Above the ports that programs are given when they ask for any.
const PORT: u16 = 61_080;
/// Names of the command's own machine, which need no proxy.
const DIRECT: &str = "localhost,.localhost,127.0.0.1,127.0.0.0/8,::1,[::1],0.0.0.0";

/// Variables by which programs find the proxy.
pub(super) fn variables() -> Vec<(OsString, OsString)> {
    let proxy = format!("http://{}:{PORT}", Ipv4Addr::LOCALHOST);
    let mut all: Vec<(OsString, OsString)> = Vec::new();
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        all.push((name.into(), proxy.clone().into()));
    }
    for name in ["no_proxy", "NO_PROXY"] {
        all.push((name.into(), DIRECT.into()));
    }
    // Node does not look at the others without it.
    all.push(("NODE_USE_ENV_PROXY".into(), "1".into()));
    all
}

/// Inside: makes the socket in this network and passes it to the parent.
pub(super) fn send(control: &UnixStream) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))?;
    let mut line = serde_json::to_vec(&Report::Door)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    let sockets = [listener.as_fd()];
    if !along.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(Error::other("no room for the socket"));
    }
    sendmsg(control, &[IoSlice::new(&line)], &mut along, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Outside: the next piece of what the helper says, and a socket that came along. An empty piece is the end.
pub(super) async fn receive(control: &tokio::net::UnixStream) -> Result<(Vec<u8>, Option<OwnedFd>)> {
    control
        .async_io(Interest::READABLE, || {
            let mut text = vec![0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut along = RecvAncillaryBuffer::new(&mut space);
            let got =
                recvmsg(control, &mut [IoSliceMut::new(&mut text)], &mut along, RecvFlags::CMSG_CLOEXEC)?;
            text.truncate(got.bytes);
            let mut socket = None;
            for message in along.drain() {
                if let RecvAncillaryMessage::ScmRights(sockets) = message {
                    socket = socket.or(sockets.into_iter().next());
                }
            }
            Ok((text, socket))
        })
        .await
}

/// The socket as the runtime serves it.
pub(super) fn listen(socket: OwnedFd) -> Result<tokio::net::TcpListener> {
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
