//! What a server needs around it: further ports, and helper processes such as the backend of a proxy.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::helper::Helper;
use super::{Launch, Port, StartFailure};

/// The further ports and the helpers of a server. They exist until the last clone is dropped, so that another instance
/// can use those of the first.
#[derive(Debug, Clone)]
pub struct Surroundings(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Dropped before the leases of the ports.
    helpers: Vec<Helper>,
    ports: FurtherPorts,
}

impl Surroundings {
    pub(super) fn new(ports: FurtherPorts, helpers: Vec<Helper>) -> Surroundings {
        Surroundings(Arc::new(Shared { helpers, ports }))
    }

    /// The numbers of the further ports by their names.
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        &self.0.ports.numbers
    }

    pub(super) fn further_ports(&self) -> &FurtherPorts {
        &self.0.ports
    }

    /// The first helper that has failed, and how.
    pub(super) fn trouble(&self) -> Option<StartFailure> {
        self.0.helpers.iter().find_map(Helper::trouble)
    }
}

/// The leased ports of `{port:NAME}`, by NAME.
#[derive(Debug, Clone, Default)]
pub(super) struct FurtherPorts {
    leases: Vec<Port>,
    pub(super) numbers: BTreeMap<String, u16>,
}

impl FurtherPorts {
    /// Leases every port that the launch names.
    ///
    /// # Errors
    /// Those of [`Port::lease`].
    pub(super) fn lease(launch: &Launch) -> io::Result<FurtherPorts> {
        let mut ports = FurtherPorts::default();
        for name in launch.further_ports() {
            let lease = Port::lease()?;
            ports.numbers.insert(name, lease.number());
            ports.leases.push(lease);
        }
        Ok(ports)
    }
}
