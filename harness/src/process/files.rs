//! The files that are written into `{tmp}` before a start.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid, fchmod, fchown, mkdirat, openat, renameat};
use rustix::io::Errno;

use crate::sys::UserIds;

/// Permissions of folders that are created for files.
const FOLDER_MODE: u32 = 0o755;

/// A path in `{tmp}`: relative, and without `..`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_path(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("the name of a file is empty".to_owned());
    }
    if path.is_absolute() {
        return Err("the path is absolute, and files are written into {tmp}".to_owned());
    }
    let is_normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !path.components().all(is_normal) || path.to_string_lossy().ends_with('/') {
        return Err("the path must name a file in {tmp}, without `.` and `..`".to_owned());
    }
    Ok(())
}

/// Writes the file `path` in `folder` and gives it to `owner`, with the folders that it needs. An existing file is
/// replaced as a whole. Never follows a symbolic link: the folder may belong to the server.
///
/// # Errors
/// Those of the file system; `InvalidInput` for a path that [`check_path`] refuses.
pub(super) fn write(
    folder: &Path,
    path: &Path,
    text: &str,
    mode: u32,
    owner: Option<&UserIds>,
) -> io::Result<()> {
    check_path(path).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let mut at = open_folder(CWD, folder)?;
    for part in path.parent().into_iter().flat_map(Path::components) {
        at = enter(&at, Path::new(part.as_os_str()), owner)?;
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".tcprove");
    remove(&at, &hidden)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&at, &hidden, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(text.as_bytes())?;
    give(&file, owner)?;
    // After the owner, since a change of the owner clears bits.
    fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(renameat(&at, &hidden, &at, name)?)
}

/// Opens the folder `name` in `at`, which is created if it does not exist.
fn enter(at: &OwnedFd, name: &Path, owner: Option<&UserIds>) -> io::Result<OwnedFd> {
    match mkdirat(at, name, Mode::from_raw_mode(FOLDER_MODE)) {
        Ok(()) => {
            let folder = open_folder(at, name)?;
            give(&folder, owner)?;
            fchmod(&folder, Mode::from_raw_mode(FOLDER_MODE))?;
            Ok(folder)
        }
        Err(Errno::EXIST) => open_folder(at, name),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(at: impl std::os::fd::AsFd, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

fn remove(at: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes `owner` the owner of an opened file or folder.
pub(super) fn give(file: impl std::os::fd::AsFd, owner: Option<&UserIds>) -> io::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
    Ok(fchown(file, Some(user), Some(group))?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn paths_stay_in_the_folder() {
        for good in ["a", "a/b.conf", ".hidden"] {
            assert_eq!(check_path(Path::new(good)), Ok(()), "{good}");
        }
        for bad in ["", "/etc/passwd", "..", "../a", "a/../../b", "./a", "a/"] {
            assert!(check_path(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_replaced_with_their_folders() {
        let tmp = tempfile::tempdir().unwrap();
        let path = Path::new("conf.d/deep/app.conf");
        for text in ["first", "2"] {
            write(tmp.path(), path, text, 0o640, None).unwrap();
            assert_eq!(fs::read_to_string(tmp.path().join(path)).unwrap(), text);
        }
        let mode = fs::metadata(tmp.path().join(path)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o7777, 0o640);
        let folder = tmp.path().join("conf.d/deep");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = outside.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        // A link in place of the file is replaced; one in place of a folder is refused.
        symlink(&victim, tmp.path().join("app.conf")).unwrap();
        write(tmp.path(), Path::new("app.conf"), "new", 0o644, None).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(
            fs::read_to_string(tmp.path().join("app.conf")).unwrap(),
            "new"
        );
        symlink(outside.path(), tmp.path().join("conf.d")).unwrap();
        let refused = write(tmp.path(), Path::new("conf.d/victim"), "new", 0o644, None);
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    }
}
