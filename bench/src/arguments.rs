//! The command line.

use crate::Outcome;
use crate::peers::{PEERS, Peer, Presence};
use crate::workloads::WORKLOADS;
use std::path::PathBuf;

/// What the command line asks for.
pub(crate) enum Request {
    Help,
    Measure(Arguments),
}

/// How to measure.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    names: Vec<String>,
    /// The peers to measure: at first those that are wanted, then those of them that are there.
    peers: Vec<&'static Peer>,
    /// Where the rows go, for `report` and `compare`.
    pub(crate) tsv: Option<PathBuf>,
    /// The folder in which the page is written.
    pub(crate) page: Option<PathBuf>,
    /// Also what takes a minute and 10 GiB of memory.
    pub(crate) large: bool,
    /// A hundredth of everything: shows that the workloads run, and nothing else.
    pub(crate) quick: bool,
    pub(crate) seed: u64,
    pub(crate) kills: usize,
    pub(crate) large_kills: usize,
    rounds: Option<usize>,
}

impl Arguments {
    /// # Errors
    /// A word that is neither an option nor a workload.
    pub(crate) fn parse(words: &[String]) -> Outcome<Request> {
        let mut arguments = Arguments {
            names: Vec::new(),
            peers: Vec::new(),
            tsv: None,
            page: None,
            large: false,
            quick: false,
            seed: 1,
            kills: 200,
            large_kills: 30,
            rounds: None,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut number = || -> Outcome<u64> {
                let value = words.next().ok_or_else(|| format!("{word} wants a number"))?;
                Ok(value.parse().map_err(|_| format!("{word} wants a number, not `{value}`"))?)
            };
            match word {
                "--help" | "-h" => return Ok(Request::Help),
                // Cargo's own.
                "--bench" => {}
                "--tsv" => arguments.tsv = Some(words.next().ok_or("--tsv wants a file")?.into()),
                "--page" => arguments.page = Some(words.next().ok_or("--page wants a folder")?.into()),
                "--large" => arguments.large = true,
                "--quick" => arguments.quick = true,
                "--seed" => arguments.seed = number()?,
                "--kills" => arguments.kills = number()? as usize,
                "--large-kills" => arguments.large_kills = number()? as usize,
                "--rounds" => arguments.rounds = Some(number()?.max(1) as usize),
                name if WORKLOADS.iter().any(|workload| workload.name == name) => arguments.names.push(name.into()),
                name => {
                    let peer = PEERS.iter().find(|peer| peer.name == name);
                    arguments
                        .peers
                        .push(peer.ok_or_else(|| format!("no workload, peer or option `{word}`; see --help"))?);
                }
            }
        }
        if arguments.quick {
            (arguments.kills, arguments.large_kills) = (arguments.kills.min(2), arguments.large_kills.min(1));
        }
        if arguments.peers.is_empty() {
            arguments.peers.extend(PEERS);
        }
        Ok(Request::Measure(arguments))
    }

    /// Looks for the wanted peers, keeps those that are there, and says of each what was found.
    pub(crate) fn find_peers(&mut self, mut say: impl FnMut(&Peer, &Presence)) {
        self.peers.retain(|peer| {
            let presence = (peer.probe)();
            say(peer, &presence);
            matches!(presence, Presence::Here(_))
        });
    }

    /// Whether a peer is wanted and there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peers.iter().any(|peer| peer.name == name)
    }

    pub(crate) fn selects(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|selected| selected == name)
    }

    /// `count`, or a hundredth of it.
    pub(crate) fn scaled(&self, count: usize) -> usize {
        if self.quick { (count / 100).max(1) } else { count }
    }

    /// How many rounds to take where `usual` are enough.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { usual })
    }
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let workloads = list(WORKLOADS.iter().map(|workload| (workload.name, workload.about)));
    let peers = list(PEERS.iter().map(|peer| (peer.name, peer.title)));
    format!(
        "usage: bench [OPTIONS] [PEER]... [WORKLOAD]...\n\
         \x20      bench report FILE [FOLDER]  the page and its plots from a run that was saved by --tsv (docs)\n\
         \x20      bench compare FILE FILE     two such runs side by side\n\n\
         Workloads (all, if none is named):\n{workloads}\n\
         Peers (all that are installed, if none is named):\n{peers}\n\
         Options:\n\
         \x20 --tsv FILE         save the figures there\n\
         \x20 --page FOLDER      write the page and its plots there (docs), as `report` does\n\
         \x20 --large            also maps of 100,000,000 entries: a minute, and 10 GiB of memory\n\
         \x20 --rounds N         take N rounds where a workload takes rounds\n\
         \x20 --seed N           seed of keys and orders (1)\n\
         \x20 --kills N          kills of `recovery` (200)\n\
         \x20 --large-kills N    kills of `recovery` with 2 GiB to tear down (30; each costs a second)\n\
         \x20 --quick            a hundredth of everything, to see that it runs\n",
    )
}

fn list<'a>(lines: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
    let width = lines.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.map(|(name, about)| format!("  {name:width$}  {about}\n")).collect()
}
