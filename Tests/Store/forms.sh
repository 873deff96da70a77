part_forms() { :; }
