"""The three compositions of one program: city, province and HQ."""
