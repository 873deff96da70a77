part_leak() { :; }
