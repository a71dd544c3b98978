//! The user that runs a server.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, User, geteuid, getgrouplist};

use super::StartFailure;
use crate::sys::UserIds;

/// A user of the system.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) ids: UserIds,
    home: PathBuf,
}

impl Account {
    /// The user called `name`. `None` if tcprove runs as that user, so that nothing has to be changed.
    ///
    /// # Errors
    /// There is no such user, or tcprove may not start processes of other users.
    pub(super) fn find(name: &str) -> Result<Option<Account>, StartFailure> {
        let failed = |why: String| StartFailure::User {
            user: name.to_owned(),
            why,
        };
        let user = User::from_name(name)
            .map_err(|error| failed(format!("the list of users cannot be read: {error}")))?
            .ok_or_else(|| failed("this system has no such user".to_owned()))?;
        if user.uid == geteuid() {
            return Ok(None);
        }
        if !geteuid().is_root() {
            return Err(failed(
                "only root may start processes of another user: run tcprove as root or as that user"
                    .to_owned(),
            ));
        }
        let c_name = CString::new(name).map_err(|error| failed(error.to_string()))?;
        let groups = getgrouplist(&c_name, user.gid)
            .map_err(|error| failed(format!("its groups cannot be read: {error}")))?;
        Ok(Some(Account {
            name: user.name,
            ids: UserIds {
                user: user.uid.as_raw(),
                group: user.gid.as_raw(),
                groups: groups.into_iter().map(Gid::as_raw).collect(),
            },
            home: user.dir,
        }))
    }

    /// The variables that a login sets, for programs that look up their user or its folder.
    pub(super) fn environment(&self) -> [(String, String); 3] {
        [
            ("USER".to_owned(), self.name.clone()),
            ("LOGNAME".to_owned(), self.name.clone()),
            ("HOME".to_owned(), self.home.display().to_string()),
        ]
    }
}

/// The ids as one word: `UID:GID:GID,GID`, the supplementary groups last.
pub(super) fn ids_text(ids: &UserIds) -> String {
    let groups: Vec<String> = ids.groups.iter().map(u32::to_string).collect();
    format!("{}:{}:{}", ids.user, ids.group, groups.join(","))
}

/// Parses the text of [`ids_text`].
pub(super) fn parse_ids(text: &str) -> Option<UserIds> {
    let mut parts = text.split(':');
    let (user, group, groups) = (parts.next()?, parts.next()?, parts.next()?);
    let groups = groups.split(',').filter(|group| !group.is_empty());
    let groups: Result<_, _> = groups.map(str::parse).collect();
    Some(UserIds {
        user: user.parse().ok()?,
        group: group.parse().ok()?,
        groups: groups.ok()?,
    })
    .filter(|_| parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_a_command_line() {
        for groups in [vec![], vec![5], vec![5, 6]] {
            let ids = UserIds {
                user: 1,
                group: 2,
                groups,
            };
            assert_eq!(parse_ids(&ids_text(&ids)), Some(ids));
        }
        assert_eq!(parse_ids("1:2"), None);
        assert_eq!(parse_ids("1:2:x"), None);
        assert_eq!(parse_ids("1:2:3:4"), None);
    }

    #[test]
    fn users_are_looked_up() {
        let failure = Account::find("no-such-user-here").unwrap_err();
        assert!(failure.to_string().contains("no such user"), "{failure}");
        let own = User::from_uid(geteuid()).unwrap().unwrap();
        assert!(Account::find(&own.name).unwrap().is_none());
        let root = Account::find("root");
        assert_eq!(root.is_ok(), geteuid().is_root());
    }
}
