import Glibc

/// Two processes that act in turns: each waits until the other has handed over. What they write to the transcript is
/// then in one order, whatever the scheduler does.
struct Turns {
    private let read: Int32
    private let write: Int32

    func hand() { _ = Sys.write(write, [1]) }
    func wait() { _ = Sys.read(read, 1) }

    /// Lets the other do its next part, and returns when it has handed back.
    func other() {
        hand()
        wait()
    }

    /// `child` starts with the first turn that `parent` hands over, and hands over itself at its end.
    static func run(_ scene: Scene, parent: (Turns) -> Void, child: (Turns) -> Void) {
        let (down, up) = (Sys.pipe(), Sys.pipe())
        scene.make.must("pipe", min(down.0, up.0))
        let pid = Sys.fork()
        if pid == 0 {
            // So that the end of the parent ends a wait here.
            Sys.close(down.write)
            Sys.close(up.read)
            let turns = Turns(read: down.read, write: up.write)
            turns.wait()
            child(turns)
            turns.hand()
            exit(0)
        }
        scene.make.must("fork", pid)
        Sys.close(down.read)
        Sys.close(up.write)
        parent(Turns(read: up.read, write: down.write))
        Sys.close(down.write)
        _ = Sys.wait(Int32(pid))
        Sys.close(up.read)
    }
}
