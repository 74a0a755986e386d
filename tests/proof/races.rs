//! Zombies and racing recoverers.
