//! Faults of the machine that a user meets: killed commands, two at once, full disks, closed folders, no network. For
//! each: what is read, the exit code, and the state afterwards.

mod builds;
mod check;
mod disk;
mod ground;
mod kills;
mod lab;
mod network;
mod prerequisites;
mod reset;
mod rights;
mod runs;
mod small_disk;
mod tools;
