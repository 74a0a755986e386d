//! File systems: the operating system's, and a simulated one that forgets.

mod aside;
mod copy;
mod flush;
mod group;
mod held;
mod holders;
mod kind;
mod lease;
mod locks;
mod os;
mod share;
#[cfg(feature = "sim")]
pub mod sim;

pub(crate) use aside::{Aside, remove_asides};
pub(crate) use copy::content as copy_content;
pub(crate) use flush::flush_folder;
pub(crate) use group::{is_shared, rename_no_replace};
pub use held::hold_root;
pub(crate) use held::make_below;
pub use holders::Holder;
pub(crate) use holders::holders;
pub use kind::{Kind, Nature, kind};
pub use os::OsFs;
pub(crate) use os::describe;
pub(crate) use share::{Shared, is_member, share};
