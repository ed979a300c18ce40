//! The system calls a command may not make: tracing, mounts, namespaces, kernel loading, odd sockets.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};
use std::collections::BTreeMap;

/// Which sockets may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    /// Unix, internet and routing: the network namespace holds nothing but loopback.
    Contained,
    /// None; only connected pairs, since no namespace stands between them and the host.
    None,
}

/// Refused whatever their arguments.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Refused on this processor only.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// Flags of `clone` and `unshare` that make a namespace.
const NAMESPACES: [libc::c_int; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80, // CLONE_NEWTIME
];

/// Installs the filters for this process and everything it starts.
pub(super) fn install(sockets: Sockets) -> Result<(), String> {
    let refused = refused(sockets).map_err(|error| format!("the system call filter: {error}"))?;
    for program in [absent(), refused] {
        apply_filter(&program).map_err(|error| format!("the system call filter: {error}"))?;
    }
    Ok(())
}

/// `clone3` hides its flags behind a pointer, and the x32 numbers dodge the list: both are said to be
/// absent, so that libc falls back to what can be inspected.
fn absent() -> BpfProgram {
    let absent = 0x0005_0000 | libc::ENOSYS.cast_unsigned(); // SECCOMP_RET_ERRNO
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    let step = |code: u16, jt: u8, jf: u8, k: u32| sock_filter { code, jt, jf, k };
    vec![
        step(0x20, 0, 0, 0),           // load the number
        step(0x15, 2, 0, clone3),      // equal: absent
        step(0x35, 1, 0, 0x4000_0000), // x32 bit or beyond: absent
        step(0x06, 0, 0, 0x7fff_0000), // allow
        step(0x06, 0, 0, absent),
    ]
}

fn refused(sockets: Sockets) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for number in REFUSED.iter().chain(REFUSED_HERE) {
        rules.insert(*number, vec![]);
    }
    for call in [libc::SYS_clone, libc::SYS_unshare] {
        let mut any = Vec::new();
        for flag in NAMESPACES {
            // In `clone` the low byte is the signal sent at the end, not a flag.
            if call == libc::SYS_clone && flag == 0x80 {
                continue;
            }
            let flag = u64::from(flag.cast_unsigned());
            any.push(SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])?);
        }
        rules.insert(call, any);
    }
    let mut controls = Vec::new();
    for request in [0x5412, 0x541c] {
        // TIOCSTI and TIOCLINUX put words into a terminal's input.
        controls.push(SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?])?);
    }
    rules.insert(libc::SYS_ioctl, controls);
    match sockets {
        Sockets::None => {
            rules.insert(libc::SYS_socket, vec![]);
        }
        Sockets::Contained => {
            let family = |op, value: libc::c_int| argument(0, op, u64::from(value.cast_unsigned()));
            let other = SeccompRule::new(vec![
                family(SeccompCmpOp::Ne, libc::AF_UNIX)?,
                family(SeccompCmpOp::Ne, libc::AF_INET)?,
                family(SeccompCmpOp::Ne, libc::AF_INET6)?,
                family(SeccompCmpOp::Ne, libc::AF_NETLINK)?,
            ])?;
            let not_routing = SeccompRule::new(vec![
                family(SeccompCmpOp::Eq, libc::AF_NETLINK)?,
                argument(2, SeccompCmpOp::Ne, u64::from(libc::NETLINK_ROUTE.cast_unsigned()))?,
            ])?;
            rules.insert(libc::SYS_socket, vec![other, not_routing]);
        }
    }
    SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

fn argument(index: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value)
}

#[cfg(test)]
#[allow(unsafe_code, reason = "makes the calls that must be refused")]
mod tests {
    use super::*;

    /// The error of a call with these arguments; 0 when it went through.
    fn attempt(number: libc::c_long, arguments: [libc::c_long; 3]) -> i32 {
        let [first, second, third] = arguments;
        // SAFETY: null pointers and small numbers; each call is refused by the filter, or fails on them.
        let result = unsafe { libc::syscall(number, first, second, third, 0, 0, 0) };
        if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
    }

    /// A filter binds the thread that installs it, so each test has a thread to spend.
    fn behind(sockets: Sockets, test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(move || {
            install(sockets).unwrap();
            test();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn refuses_every_call_on_the_list() {
        behind(Sockets::Contained, || {
            for number in REFUSED.iter().chain(REFUSED_HERE) {
                assert_eq!(attempt(*number, [0, 0, 0]), libc::EPERM, "call {number}");
            }
            assert_eq!(attempt(libc::SYS_clone3, [0, 0, 0]), libc::ENOSYS);
            #[cfg(target_arch = "x86_64")]
            assert_eq!(attempt(0x4000_0000 | libc::SYS_getpid, [0, 0, 0]), libc::ENOSYS);
            for flag in NAMESPACES {
                assert_eq!(attempt(libc::SYS_unshare, [flag.into(), 0, 0]), libc::EPERM, "unshare {flag:#x}");
                if flag != 0x80 {
                    assert_eq!(attempt(libc::SYS_clone, [flag.into(), 0, 0]), libc::EPERM, "clone {flag:#x}");
                }
            }
            for request in [0x5412, 0x541c] {
                assert_eq!(attempt(libc::SYS_ioctl, [0, request, 0]), libc::EPERM, "ioctl {request:#x}");
            }
        });
    }

    #[test]
    fn lets_only_harmless_socket_families_be_made() {
        let socket = |family: libc::c_int, kind: libc::c_int, protocol: libc::c_int| {
            attempt(libc::SYS_socket, [family.into(), kind.into(), protocol.into()])
        };
        behind(Sockets::Contained, move || {
            for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
                assert_ne!(socket(family, libc::SOCK_STREAM, 0), libc::EPERM, "family {family}");
            }
            assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE), 0);
            assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT), libc::EPERM);
            for family in [libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG, libc::AF_BLUETOOTH, libc::AF_CAN] {
                assert_eq!(socket(family, libc::SOCK_RAW, 0), libc::EPERM, "family {family}");
            }
        });
        behind(Sockets::None, move || {
            for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
                assert_eq!(socket(family, libc::SOCK_STREAM, 0), libc::EPERM, "family {family}");
            }
        });
    }
}
