"""Do backfills make the runs that they say, once each, and never more at a time than they may?"""
