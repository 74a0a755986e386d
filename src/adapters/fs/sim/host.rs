//! A simulated machine's clocks and entropy.

use std::time::Duration;

use super::World;
use crate::ports::Host;
use crate::words::Millis;

/// The world's clock and entropy, seen by one process.
#[derive(Clone)]
pub struct SimHost {
    world: World,
    pid: u32,
}

impl SimHost {
    /// A process's view.
    pub fn new(world: World, pid: u32) -> Self {
        Self { world, pid }
    }
}

impl Host for SimHost {
    fn now(&self) -> Millis {
        let mut state = self.world.state();
        let wrong_by = state.skew.get(&self.pid).copied();
        state.suffered.wrong_clocks += usize::from(wrong_by.is_some() || state.wall_was_set);
        Millis::new(state.wall_ms.saturating_add_signed(wrong_by.unwrap_or_default()))
            .expect("simulated time is short")
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.world.state().monotonic_ms)
    }

    fn entropy(&self) -> u128 {
        let mut state = self.world.state();
        (u128::from(state.random(self.pid)) << 64) | u128::from(state.random(self.pid))
    }

    fn name(&self) -> String {
        "simhost".to_owned()
    }

    fn pid(&self) -> u32 {
        self.pid
    }
}
