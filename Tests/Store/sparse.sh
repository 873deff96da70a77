part_sparse() { :; }
