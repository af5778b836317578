"""Does ``tradewind cluster`` start everything, keep it alive, and leave nothing behind?"""
