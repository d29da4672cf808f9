//! Which instructions can anybody else notice? Those that store into the region, and those that enter the kernel: a death
//! after any other one leaves what a death before it leaves.

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedMemory,
};
use nix::libc::user_regs_struct;
use nix::sys::ptrace;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What the next instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nobody else can tell whether it was executed.
    Private,
    Visible,
    /// The breakpoint at the end.
    End,
}

/// Looks at the instructions of one process, which has mapped files of `directory`.
pub struct Looker {
    directory: PathBuf,
    known: HashMap<u64, Known>,
    info: InstructionInfoFactory,
    mapped: Vec<Range<u64>>,
    stale: bool,
}

struct Known {
    instruction: Instruction,
    writes: Vec<UsedMemory>,
}

impl Looker {
    pub fn new(directory: &Path) -> Looker {
        let (known, mapped) = (HashMap::new(), Vec::new());
        Looker { directory: directory.into(), known, info: InstructionInfoFactory::new(), mapped, stale: true }
    }

    /// What would the stopped thread do next?
    /// And where is it?
    pub fn look(&mut self, process: Pid, thread: Pid) -> (u64, Next) {
        if std::mem::take(&mut self.stale) {
            self.read_mappings(process);
        }
        let registers = ptrace::getregs(thread).expect("a stopped thread");
        (registers.rip, self.kind(thread, &registers))
    }

    fn kind(&mut self, thread: Pid, registers: &user_regs_struct) -> Next {
        let info = &mut self.info;
        let known = self.known.entry(registers.rip).or_insert_with(|| decode(thread, registers.rip, info));
        match known.instruction.mnemonic() {
            Mnemonic::Int3 if registers.rax == super::tracee::END => return Next::End,
            Mnemonic::Syscall => {
                self.stale = true;
                return Next::Visible;
            }
            _ => {}
        }
        let mapped = &self.mapped;
        let hits = |memory: &UsedMemory| {
            let address = memory.virtual_address(0, |register, _, _| value(registers, register));
            address.is_none_or(|address| mapped.iter().any(|range| range.contains(&address)))
        };
        if known.writes.iter().any(hits) { Next::Visible } else { Next::Private }
    }

    fn read_mappings(&mut self, process: Pid) {
        let text = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        let directory = self.directory.to_str().expect("a path that is text");
        let range = |line: &str| {
            let (start, end) = line.split(' ').next()?.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some(number(start)?..number(end)?)
        };
        // A file that was made without a name is called deleted for ever; nobody can see it before it has one.
        let named = self.directory.join("region").exists();
        let seen = |line: &&str| line.contains(directory) && (named || !line.ends_with("(deleted)"));
        self.mapped = text.lines().filter(seen).filter_map(range).collect();
    }
}

fn decode(thread: Pid, address: u64, info: &mut InstructionInfoFactory) -> Known {
    let word = |at: u64| ptrace::read(thread, at as ptrace::AddressType).unwrap_or(0).to_le_bytes();
    let bytes = [word(address), word(address + 8)].concat();
    let instruction = Decoder::with_ip(64, &bytes, address, DecoderOptions::NONE).decode();
    let stores = |memory: &&UsedMemory| {
        use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
        matches!(memory.access(), Write | CondWrite | ReadWrite | ReadCondWrite)
    };
    let writes = info.info(&instruction).used_memory().iter().filter(stores).copied().collect();
    Known { instruction, writes }
}

/// `None` for what no address of ours is made of: the store then counts as one into the region.
fn value(registers: &user_regs_struct, register: Register) -> Option<u64> {
    let full = match register.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::RIP => registers.rip,
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        Register::DS | Register::ES | Register::SS | Register::CS => 0,
        _ => return None,
    };
    Some(full)
}
