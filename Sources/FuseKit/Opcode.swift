internal import CShims

/// Opcodes of <linux/fuse.h> that a filesystem looks for among the requests under way (`InflightSlot.opcode`).
public enum FuseOpcode {
    public static let setattr: UInt32 = FUSE_SETATTR
}
