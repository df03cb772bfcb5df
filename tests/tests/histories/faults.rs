//! What goes wrong meanwhile.

use std::time::{Duration, Instant};

use kv_tests::proxy::{Mode, Proxy};

use crate::places::Server;
use crate::writers::Random;

/// Makes the line bad in one way after the other, with good times between, until shortly before the end.
pub(crate) fn disturb(proxy: &Proxy, end: Instant) {
    let mut random = Random::new(7);
    let mut turn = 0;
    while Instant::now() + Duration::from_millis(300) < end {
        std::thread::sleep(Duration::from_millis(50 + random.below(150)));
        match turn % 5 {
            0 => proxy.set_mode_once(Mode::CutAnswer),
            1 => proxy.set_mode_once(Mode::CutAfter(random.below(200))),
            2 => proxy.reset_connections(),
            3 => proxy.set_mode(Mode::Delay(Duration::from_millis(30))),
            _ => {
                proxy.set_mode(Mode::Refuse);
                proxy.reset_connections();
            }
        }
        std::thread::sleep(Duration::from_millis(20 + random.below(30)));
        proxy.set_mode(Mode::Pass);
        turn += 1;
    }
    super::undisturbed(end);
}

/// Restarts the server again and again, if it may be, every other time after it was killed, until shortly before the end.
pub(crate) fn restart(server: &mut Server, may_kill: bool, end: Instant) {
    let mut kill = may_kill;
    loop {
        std::thread::sleep(Duration::from_millis(700));
        server.restart(kill);
        kill = may_kill && !kill;
        if Instant::now() + Duration::from_secs(2) > end {
            break;
        }
        std::thread::sleep(Duration::from_millis(1300));
    }
    super::undisturbed(end);
}
