//! The system calls the walls need and no crate here wraps; each is one call with its errors named.
#![allow(
    unsafe_code,
    reason = "namespaces, detached mounts, fork and capabilities have no safe wrapper here"
)]

use std::ffi::{CString, OsStr};
use std::io::{Error, Result};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

fn text(value: impl AsRef<OsStr>) -> Result<CString> {
    CString::new(value.as_ref().as_bytes()).map_err(Error::other)
}

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

fn check_long(result: libc::c_long) -> Result<RawFd> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    RawFd::try_from(result).map_err(Error::other)
}

/// New user, mount, pid, network, ipc, uts and cgroup namespaces for this process and its children.
pub(super) fn unshare_all() -> Result<()> {
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    // SAFETY: takes flags only; this process has one thread, as the call wants.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// The effective ids of this process.
pub(super) fn ids() -> (u32, u32) {
    // SAFETY: these calls take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Mounts a new file system on `target`.
pub(super) fn mount_new(kind: &str, target: &Path, flags: libc::c_ulong, options: &str) -> Result<()> {
    let (kind, target, options) = (text(kind)?, text(target)?, text(options)?);
    // SAFETY: all pointers are NUL-terminated strings that outlive the call.
    let result =
        unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    check(result).map(drop)
}

/// Stops mounts from travelling between this namespace and the one it was made from.
pub(super) fn make_private() -> Result<()> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: a propagation change reads the target only; the null pointers are allowed for it.
    let result =
        unsafe { libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    check(result).map(drop)
}

/// A detached copy of the mounts at `path`.
pub(super) fn clone_tree(path: &Path) -> Result<OwnedFd> {
    let path = text(path)?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE.cast_unsigned();
    // SAFETY: the path is NUL-terminated and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = check_long(result)?;
    // SAFETY: the kernel just gave this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Puts a detached copy on `target`.
pub(super) fn place_tree(tree: &OwnedFd, target: &Path) -> Result<()> {
    let target = text(target)?;
    // SAFETY: both paths are NUL-terminated and outlive the call; the descriptor is open.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check_long(result).map(drop)
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

fn set_attributes(fd: RawFd, path: &CString, flags: libc::c_int, set: u64) -> Result<()> {
    let attr = MountAttr { set, clear: 0, propagation: 0, userns: 0 };
    // SAFETY: the struct has the kernel's layout and its size is passed; the path outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            path.as_ptr(),
            flags | libc::AT_RECURSIVE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check_long(result).map(drop)
}

/// Sets mount attributes on a detached copy and everything below it.
pub(super) fn set_tree_attributes(tree: &OwnedFd, set: u64) -> Result<()> {
    set_attributes(tree.as_raw_fd(), &text("")?, libc::AT_EMPTY_PATH, set)
}

/// Sets mount attributes on `path` and everything below it.
pub(super) fn set_path_attributes(path: &Path, set: u64) -> Result<()> {
    set_attributes(libc::AT_FDCWD, &text(path)?, 0, set)
}

/// Brings the loopback interface of this network namespace up.
pub(super) fn raise_loopback() -> Result<()> {
    // SAFETY: the request is zeroed plain data; the socket is owned from here on.
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = from.cast_signed();
        }
        let flags = libc::IFF_UP | libc::IFF_RUNNING;
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(Error::other)?;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)).map(drop)
    }
}

/// Forks. `None` in the child. Only called while this process has one thread.
pub(super) fn fork() -> Result<Option<libc::pid_t>> {
    // SAFETY: one thread, so the child may go on using everything.
    let pid = check(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// Ends this process now, without running anything registered.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: does not return and touches nothing of ours.
    unsafe { libc::_exit(code) }
}

fn control(option: libc::c_int, value: libc::c_ulong) -> Result<()> {
    // SAFETY: every option used here takes plain numbers.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) }).map(drop)
}

/// KILL for this process when its parent ends.
pub(super) fn die_with_parent() -> Result<()> {
    control(libc::PR_SET_PDEATHSIG, libc::SIGKILL.cast_unsigned().into())
}

/// Nobody may trace this process or look at its descriptors and memory.
pub(super) fn make_opaque() -> Result<()> {
    control(libc::PR_SET_DUMPABLE, 0)
}

/// Orphans below this process become its children.
pub(super) fn adopt_orphans() -> Result<()> {
    control(libc::PR_SET_CHILD_SUBREAPER, 1)
}

/// No program started from here on gains rights by being started.
pub(super) fn forbid_new_privileges() -> Result<()> {
    control(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Drops every capability, for good.
pub(super) fn drop_capabilities() -> Result<()> {
    // NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE, each with its lock; see capabilities(7).
    // Without the capability to set them they change nothing, since nothing could be gained then.
    let _ = control(libc::PR_SET_SECUREBITS, 0b1100_1111);
    for capability in 0..64 {
        if control(libc::PR_CAPBSET_DROP, capability).is_err() {
            break;
        }
    }
    let _ = control(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong);
    // Version 3 header and two empty sets; see capset(2).
    let header: [u32; 2] = [0x2008_0522, 0];
    let empty = [0u32; 6];
    // SAFETY: the header and the sets have the sizes version 3 wants and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), empty.as_ptr()) };
    check_long(result).map(drop)
}

/// Sets soft and hard limit to `value`, or to the hard limit where that is lower.
pub(super) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid pointer to a limit.
    unsafe {
        check(libc::getrlimit(resource, &raw mut now))?;
        let value = value.min(now.rlim_max);
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        check(libc::setrlimit(resource, &raw const limit)).map(drop)
    }
}

/// A session of its own: no controlling terminal.
pub(super) fn leave_session() -> Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Signals a process; `-1` means every process this one may signal.
pub(super) fn signal(pid: libc::pid_t, signal: libc::c_int) {
    // A process that is gone already is what was wanted.
    // SAFETY: plain numbers.
    let _ = unsafe { libc::kill(pid, signal) };
}

/// Ignores a signal in this process.
pub(super) fn ignore(signal: libc::c_int) {
    // SAFETY: sets a disposition; no function of ours is called by it.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Every disposition and the mask as a fresh program expects them.
pub(super) fn reset_signals() {
    // SAFETY: sets dispositions to the default and empties the mask.
    unsafe {
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Blocks CHLD and TERM and gives a descriptor that tells of them.
pub(super) fn watch_signals() -> Result<OwnedFd> {
    // SAFETY: the set is initialised before use; the descriptor is owned from here on.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The next signal of [`watch_signals`].
pub(super) fn next_signal(fd: &OwnedFd) -> Result<libc::c_int> {
    // SAFETY: the struct is plain data of the size that is read.
    unsafe {
        let mut told: libc::signalfd_siginfo = std::mem::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        let count = libc::read(fd.as_raw_fd(), (&raw mut told).cast(), size);
        if count.cast_unsigned() != size {
            return Err(Error::last_os_error());
        }
        libc::c_int::try_from(told.ssi_signo).map_err(Error::other)
    }
}

/// Waits until one of two descriptors can be read or is closed at its other end.
pub(super) fn wait_readable(fds: [BorrowedFd<'_>; 2]) -> [bool; 2] {
    let mut polled = fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    // SAFETY: the list has two entries and outlives the call; an interrupted wait reports nothing ready.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
    polled.map(|entry| count > 0 && entry.revents != 0)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
}

/// A child that has ended, if any; waits for one when `block`. `Err` when there is no child at all.
pub(super) fn reap(block: bool) -> Result<Option<(libc::pid_t, End)>> {
    let mut status = 0;
    loop {
        let options = if block { 0 } else { libc::WNOHANG };
        // SAFETY: the pointer is to a local.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
        if pid < 0 {
            let error = Error::last_os_error();
            if error.kind() == std::io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        if pid == 0 {
            return Ok(None);
        }
        let end = if libc::WIFSIGNALED(status) {
            End::Signal(libc::WTERMSIG(status))
        } else {
            End::Code(libc::WEXITSTATUS(status))
        };
        return Ok(Some((pid, end)));
    }
}

/// Marks every descriptor from 3 on to close when a program starts.
pub(super) fn close_on_exec() -> Result<()> {
    // SAFETY: plain numbers; nothing is closed in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    check_long(result).map(drop)
}

/// Closes what this process inherited beside input and output.
pub(super) fn close_inherited() -> Result<()> {
    // SAFETY: called first thing, before this process has opened anything of its own.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    check_long(result).map(drop)
}

/// Takes standard input as a descriptor of its own and puts `/dev/null` in its place.
pub(super) fn take_stdin() -> Result<OwnedFd> {
    // SAFETY: descriptor 0 is open (the parent gave it); each new descriptor is owned once.
    unsafe {
        let taken = check(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3))?;
        let taken = OwnedFd::from_raw_fd(taken);
        let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC))?;
        let null = OwnedFd::from_raw_fd(null);
        check(libc::dup2(null.as_raw_fd(), 0))?;
        Ok(taken)
    }
}

/// Becomes another program with this process's environment. Returns only when that fails.
pub(super) fn become_program(program: &Path, arguments: &[&str]) -> Error {
    let inner = || -> Result<()> {
        let program = text(program)?;
        let arguments: Vec<CString> = arguments.iter().map(text).collect::<Result<_>>()?;
        let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|item| item.as_ptr()).collect();
        pointers.push(std::ptr::null());
        // SAFETY: the list ends with null; every string outlives the call.
        check(unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) }).map(drop)
    };
    inner().err().unwrap_or_else(|| Error::other("exec returned"))
}
