//! Callers' peers, calls' hosts, and which hosts are up.

mod address;
mod admission;
mod dns;
mod emergencies;
mod guests;
mod health;
mod lookups;
mod shares;
mod table;
mod weight;

pub use address::HostAddress;
pub use admission::{Admission, Limits, Refused, Wanted};
pub use dns::{Resolver, Where};
pub use emergencies::Emergencies;
pub use guests::Guests;
pub use health::{Health, HostState};
pub use lookups::Lookups;
pub use shares::{PeerName, Shares, usual_share};
pub(crate) use table::neighbour;
pub use table::{Candidate, FIRST_FREE_PORT, PeerRef, Table};
