"""The exact cache against racing writers and readers, faults and crashes, on the whole stack."""
