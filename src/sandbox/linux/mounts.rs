//! The file tree a command sees: everything read-only, homes and run-time folders empty, the workspace back
//! in its place, its protected files pinned, its secrets blank.

use super::orders::Orders;
use super::sys;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
/// The devices a program may expect.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Below `/proc`: settings of the whole machine, which file modes alone would leave to root's uid.
const PROC_FIXED: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];
/// Below `/proc`: kernel memory and keys.
const PROC_BLANK: [&str; 4] = ["kcore", "keys", "timer_list", "kallsyms"];
/// Processes and threads at once; see `pid_max` in proc(5).
const PID_MAX: &str = "2048";

/// Where layers over package caches are kept, and how large they may grow together.
const LAYERS: &str = "/run/layers";
const LAYERS_SIZE: &str = "2g";

type Outcome<T = ()> = Result<T, String>;

fn named<T>(what: &str, path: &Path, result: std::io::Result<T>) -> Outcome<T> {
    result.map_err(|error| format!("{what} {}: {error}", path.display()))
}

/// Builds the tree in this mount namespace. Says what it had to leave out.
pub(super) fn build(orders: &Orders) -> Outcome<Vec<String>> {
    let mut missing = Vec::new();
    named("private mounts", Path::new("/"), sys::make_private())?;
    // Copies are taken while everything is still where it was.
    let workspace = take(&orders.workspace)?;
    let mut kept: Vec<(&Path, OwnedFd)> = Vec::new();
    for path in orders.keep.iter().filter(|path| path.is_dir()) {
        kept.push((path, take(path)?));
    }
    let mut devices: Vec<(&str, OwnedFd)> = Vec::new();
    for name in DEVICES.into_iter().filter(|name| Path::new("/dev").join(name).exists()) {
        devices.push((name, take(&Path::new("/dev").join(name))?));
    }
    mount_proc(&mut missing)?;
    named("read-only", Path::new("/"), sys::set_path_attributes(Path::new("/"), RDONLY | NOSUID))?;
    let blank = build_devices(&devices)?;

    for (path, size) in &orders.hide {
        if path.is_dir() {
            tmpfs(path, size)?;
        }
    }
    for path in &orders.fresh {
        named("make", path, std::fs::create_dir_all(path))?;
    }
    for (path, content) in &orders.seed {
        // A convenience: a home without it still works.
        #[allow(clippy::disallowed_methods, reason = "inside the private home, which is memory")]
        let _ = std::fs::write(path, content);
    }
    for (path, tree) in &kept {
        named("read-only", path, sys::set_tree_attributes(tree, RDONLY | NOSUID | NODEV))?;
        put(tree, path)?;
    }
    if !orders.layer.is_empty()
        && let Err(why) = build_layers(&orders.layer)
    {
        missing.push(format!("package caches cannot be written, only read ({why})"));
    }
    named("attributes", &orders.workspace, sys::set_tree_attributes(&workspace, NOSUID | NODEV))?;
    put(&workspace, &orders.workspace)?;
    for path in &orders.pin {
        // A mount point cannot be renamed or removed.
        unless_gone(path, take(path).and_then(|tree| put(&tree, path)))?;
    }
    for path in &orders.freeze {
        unless_gone(path, freeze(path))?;
    }
    for path in &orders.blank {
        unless_gone(path, cover(path, &blank))?;
    }
    Ok(missing)
}

/// Those of the kept folders that are covered by layers.
pub(super) fn layers(keep: &[PathBuf], home: Option<&Path>, caches: &[&str]) -> Vec<PathBuf> {
    let layered = |path: &&PathBuf| home.is_some_and(|home| takes_packages(path, home, caches));
    keep.iter().filter(layered).cloned().collect()
}

/// Whether package managers write there while they install.
fn takes_packages(path: &Path, home: &Path, caches: &[&str]) -> bool {
    let Ok(below) = path.strip_prefix(home) else { return false };
    let inside = |folder: &&str| Path::new(folder).starts_with(below);
    let mut caches =
        caches.iter().filter(|folder| !folder.starts_with(".rustup") && !folder.starts_with(".local"));
    !below.as_os_str().is_empty() && caches.any(inside)
}

/// Covers package caches by layers of memory: what a command adds is there for it alone, and gone with it.
fn build_layers(paths: &[PathBuf]) -> Outcome {
    let root = Path::new(LAYERS);
    named("make", root, std::fs::create_dir_all(root))?;
    tmpfs(root, LAYERS_SIZE)?;
    for (at, path) in paths.iter().filter(|path| path.is_dir()).enumerate() {
        let lower = path.to_string_lossy();
        // These part the options of the mount.
        if lower.contains([',', ':', '\\']) {
            continue;
        }
        let (upper, work) = (root.join(format!("{at}/upper")), root.join(format!("{at}/work")));
        named("make", &upper, std::fs::create_dir_all(&upper))?;
        named("make", &work, std::fs::create_dir_all(&work))?;
        let options =
            format!("lowerdir={lower},upperdir={},workdir={},userxattr", upper.display(), work.display());
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        named("layer", path, sys::mount_new("overlay", path, flags, &options))?;
    }
    Ok(())
}

fn take(path: &Path) -> Outcome<OwnedFd> {
    named("copy", path, sys::clone_tree(path))
}

/// Puts a copy at `path`, making the way there where a folder above is now empty.
fn put(tree: &OwnedFd, path: &Path) -> Outcome {
    if !path.exists() {
        named("make", path, std::fs::create_dir_all(path))?;
    }
    named("place", path, sys::place_tree(tree, path))
}

/// What others remove between the look at the tree and now needs no wall.
fn unless_gone(path: &Path, outcome: Outcome) -> Outcome {
    let is_gone = || path.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if outcome.is_err() && is_gone() { Ok(()) } else { outcome }
}

/// Makes a file or a folder read as empty. What this user cannot reach needs no cover.
fn cover(path: &Path, blank: &Path) -> Outcome {
    if !path.exists() {
        return Ok(());
    }
    if path.is_dir() {
        tmpfs(path, "4k")?;
        return named("read-only", path, sys::set_path_attributes(path, RDONLY));
    }
    named("blank", path, sys::clone_tree(blank).and_then(|tree| sys::place_tree(&tree, path)))
}

fn freeze(path: &Path) -> Outcome {
    let tree = take(path)?;
    named("read-only", path, sys::set_tree_attributes(&tree, RDONLY | NOSUID | NODEV))?;
    named("place", path, sys::place_tree(&tree, path))
}

fn tmpfs(path: &Path, size: &str) -> Outcome {
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    let sticky = if path.ends_with("tmp") || path.ends_with("shm") { "1777" } else { "0755" };
    named("tmpfs", path, sys::mount_new("tmpfs", path, flags, &format!("size={size},mode={sticky}")))
}

/// A `/dev` of a handful of harmless devices; the disks of the machine are not among them. Gives the path of
/// an empty file to blank others with.
fn build_devices(devices: &[(&str, OwnedFd)]) -> Outcome<PathBuf> {
    let root = Path::new("/dev");
    named("tmpfs", root, sys::mount_new("tmpfs", root, libc::MS_NOSUID, "size=64k,mode=0755"))?;
    for (name, tree) in devices {
        let path = root.join(name);
        named("make", &path, std::fs::File::create(&path))?;
        named("place", &path, sys::place_tree(tree, &path))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        named("link", root, std::os::unix::fs::symlink(target, root.join(name)))?;
    }
    let blank = root.join(".blank");
    named("make", &blank, std::fs::File::create(&blank))?;
    for name in ["pts", "shm", "mqueue"] {
        named("make", root, std::fs::create_dir(root.join(name)))?;
    }
    let pts = root.join("pts");
    let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
    named("devpts", &pts, sys::mount_new("devpts", &pts, flags, "newinstance,ptmxmode=0666,mode=0620"))?;
    named("read-only", root, sys::set_path_attributes(root, RDONLY))?;
    tmpfs(&root.join("shm"), "256m")?;
    Ok(blank)
}

/// The processes of the new namespace alone, and none of the machine's settings to change.
fn mount_proc(missing: &mut Vec<String>) -> Outcome {
    let root = Path::new("/proc");
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    named("proc", root, sys::mount_new("proc", root, flags, ""))?;
    // Kernels before 6.14 have one limit for all namespaces; there the process limit must do.
    #[allow(clippy::disallowed_methods, reason = "a kernel setting, not a file")]
    if std::fs::write("/proc/sys/kernel/pid_max", PID_MAX).is_err() && sys::ids().0 == 0 {
        missing.push("no limit on the number of processes (kernel before 6.14, running as root)".into());
    }
    for name in PROC_FIXED {
        let path = root.join(name);
        if path.exists() {
            freeze(&path)?;
        }
    }
    for name in PROC_BLANK {
        let path = root.join(name);
        if path.exists() {
            named(
                "blank",
                &path,
                sys::clone_tree(Path::new("/dev/null")).and_then(|tree| sys::place_tree(&tree, &path)),
            )?;
        }
    }
    Ok(())
}
